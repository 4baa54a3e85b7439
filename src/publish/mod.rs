//! Ways out of one capture, and what they have in common.

pub mod pressure;
pub mod rate;
