//! Ways out of one capture, and what they have in common.

mod capacity;
pub mod pressure;
pub mod quality;
pub mod rate;
