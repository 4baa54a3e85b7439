//! Lamps and buttons.
pub mod button;
pub mod lamp;
