//! What is plugged in.
