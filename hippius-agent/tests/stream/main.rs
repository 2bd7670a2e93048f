//! Trigger → expectation for everything between a call on a socket and the events of its exchanges: the kernel side's
//! capture core and the agent's connection and exchange stages, without a kernel.

mod aborts;
mod agent;
mod errors;
mod framing;
mod heads;
mod losses;
mod pairing;
mod property;
mod recorded;
mod script;
mod socket;
mod times;
