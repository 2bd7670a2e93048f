//! The catalogue of all metrics and how an exchange or a poll sample updates them.
//!
//! Two stores stand behind one page: [`series`] holds the families that carry account labels (many series, compact,
//! bounded), [`agent`] the fixed families about the agent itself. Both take their names, types and help texts from
//! [`catalogue`]. This stage knows nothing of HTTP servers or text formats.

pub mod agent;
pub mod catalogue;
pub mod exemplar;
pub mod history;
pub mod outbound;
pub mod polled;
pub mod sample;
pub mod series;
pub mod taken;
pub mod wire;
