//! WebRTC.

mod crypto;
