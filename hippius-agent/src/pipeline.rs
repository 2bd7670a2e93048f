//! Wires stage to stage, top to bottom.
