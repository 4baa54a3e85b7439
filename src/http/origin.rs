//! Which pages may ask, and under which names: against pages of other sites in a browser on this device or network.

use std::net::IpAddr;

use axum::http::{HeaderMap, Uri, header};

/// The host that a request names: an absolute target goes before the header (RFC 9112 §3.2.2).
pub(crate) fn host<'a>(target: &'a Uri, headers: &'a HeaderMap) -> Option<&'a str> {
    let in_header = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    target.authority().map(|authority| authority.as_str()).or(in_header)
}

/// Whether `host` (with or without a port) names this device and nothing else. If a name of another site leads
/// here, its page asks with that name (DNS rebinding).
pub(crate) fn names_this_device(host: &str) -> bool {
    let without_port = match host.rsplit_once(':') {
        Some((name, port)) if port.chars().all(|c| c.is_ascii_digit()) && !name.ends_with(':') => name,
        _ => host,
    };
    let bare = without_port.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(without_port);
    bare.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// Whether a request comes from a page of another site though it has no Origin: browsers say so where a page asks
/// by a plain element, such as an image.
pub(crate) fn is_fetched_by_another_site(headers: &HeaderMap) -> bool {
    headers.get("sec-fetch-site").is_some_and(|site| site != "none" && site != "same-origin")
}

/// The host and port of an origin, without the port that its scheme implies. `None` for `null` and whatever is no
/// origin of the web.
pub(crate) fn authority_of(origin: &str) -> Option<String> {
    let (scheme, authority) = origin.split_once("://")?;
    let usual = match scheme {
        "http" => ":80",
        "https" => ":443",
        _ => return None,
    };
    let plain = !authority.is_empty() && !authority.contains(['/', '?', '#', '@', ' ']);
    plain.then(|| authority.strip_suffix(usual).unwrap_or(authority).to_ascii_lowercase())
}

/// Whether a page of `origin` and a request to `host` belong together. The scheme is not compared: with TLS in a
/// proxy before us, the page has `https` and we do not.
pub(crate) fn is_same(origin: &str, host: &str) -> bool {
    let secure = origin.starts_with("https://");
    let host = host.to_ascii_lowercase();
    let host = host.strip_suffix(if secure { ":443" } else { ":80" }).unwrap_or(&host);
    authority_of(origin).is_some_and(|authority| authority == host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_device_are_taken() {
        for host in
            ["localhost", "LOCALHOST:80", "127.0.0.1", "127.0.0.1:9780", "127.1.2.3:1", "[::1]", "[::1]:9780"]
        {
            assert!(names_this_device(host), "{host}");
        }
        for host in [
            "",
            ":80",
            "evil.example",
            "localhost.evil.example:80",
            "127.0.0.1.evil.example",
            "192.0.2.1",
            "[::2]:1",
        ] {
            assert!(!names_this_device(host), "{host}");
        }
    }

    #[test]
    fn a_page_is_of_the_same_origin_if_host_and_port_are_the_same() {
        for (origin, host) in [
            ("http://relay.example", "relay.example"),
            ("http://relay.example", "relay.example:80"),
            ("https://Relay.example", "relay.EXAMPLE"),
            ("https://relay.example:443", "relay.example"),
            ("http://[::1]:8080", "[::1]:8080"),
        ] {
            assert!(is_same(origin, host), "{origin} {host}");
        }
        for (origin, host) in [
            ("null", "null"),
            ("http://relay.example", "relay.example:8080"),
            ("http://evil.example", "relay.example"),
            ("http://relay.example.evil", "relay.example"),
            ("file://relay.example", "relay.example"),
            ("http://", ""),
            ("http://user@relay.example", "user@relay.example"),
        ] {
            assert!(!is_same(origin, host), "{origin} {host}");
        }
    }
}
