//! Drains the ring.
