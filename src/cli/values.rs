//! Values of flags, with errors that say what is wanted.

use std::net::SocketAddr;
use std::ops::RangeInclusive;

use roomcam::config::IceUrl;

/// An address to listen on.
pub(super) fn listen(text: &str) -> Result<SocketAddr, &'static str> {
    text.parse().map_err(|_| {
        "wanted is an IP address and a port, such as 127.0.0.1:8080, or 0.0.0.0:8080 to be reached from other \
         machines too"
    })
}

/// The address of a STUN or TURN server.
pub(super) fn ice_url(text: &str) -> Result<IceUrl, &'static str> {
    text.parse()
        .map_err(|_| "wanted is stun:HOST:PORT, turn:HOST:PORT?transport=udp (or tcp) or turns:HOST:PORT")
}

/// A whole number within a range.
pub(super) fn number<T: TryFrom<u64>>(
    range: RangeInclusive<u64>,
) -> impl Fn(&str) -> Result<T, String> + Clone + Send + Sync {
    move |text| {
        let number = text.parse().ok().filter(|number| range.contains(number));
        number
            .and_then(|number| T::try_from(number).ok())
            .ok_or_else(|| format!("wanted is a whole number from {} to {}", range.start(), range.end()))
    }
}

/// A key of the configuration and its value.
pub(super) fn setting(text: &str) -> Result<(String, String), &'static str> {
    let (key, value) = text.split_once('=').ok_or("wanted is section.key=value, such as capture.fps=15")?;
    Ok((key.trim().to_owned(), value.to_owned()))
}
