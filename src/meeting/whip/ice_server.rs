//! STUN and TURN servers that a media server names in `Link` headers (RFC 9725 §4.6, RFC 8288 §3). Pure.

use crate::config::Secret;

/// Servers that are taken from one answer at most.
const MAX_SERVERS: usize = 8;

/// A STUN or TURN server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IceServer {
    /// Its address as RFC 7064 and RFC 7065 write it, such as `turn:turn.example.org?transport=udp`.
    pub url: String,
    /// The user name for a TURN server.
    pub username: Option<String>,
    /// The password for a TURN server.
    pub credential: Option<Secret>,
}

/// Reads `Link` headers. Links with other relations are ignored, and so is what cannot be read.
pub fn ice_servers<'a>(headers: impl IntoIterator<Item = &'a str>) -> Vec<IceServer> {
    headers.into_iter().flat_map(|header| Links(header).filter_map(server)).take(MAX_SERVERS).collect()
}

fn server(link: Link<'_>) -> Option<IceServer> {
    let is_ice_server = link.parameter("rel")?.split_ascii_whitespace().any(|rel| rel == "ice-server");
    let scheme = link.target.split(':').next()?.to_ascii_lowercase();
    if !is_ice_server || !["stun", "stuns", "turn", "turns"].contains(&scheme.as_str()) {
        return None;
    }
    let credential = link.parameter("credential").map(|text| Secret::new(&text, "a Link header"));
    Some(IceServer {
        url: link.target.to_owned(),
        username: link.parameter("username"),
        credential: credential.transpose().ok()?,
    })
}

struct Link<'a> {
    target: &'a str,
    parameters: Vec<(String, String)>,
}

impl Link<'_> {
    /// The first parameter of this name (RFC 8288 §3.3: later ones are ignored).
    fn parameter(&self, name: &str) -> Option<String> {
        self.parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone())
    }
}

/// The links of one header.
struct Links<'a>(&'a str);

impl<'a> Iterator for Links<'a> {
    type Item = Link<'a>;

    fn next(&mut self) -> Option<Link<'a>> {
        let (target, mut rest) = self.0.split_once('<')?.1.split_once('>')?;
        let mut parameters = Vec::new();
        loop {
            rest = rest.trim_start();
            match rest.strip_prefix(';') {
                Some(more) => {
                    let (name, value, after) = parameter(more);
                    if !name.is_empty() {
                        parameters.push((name.to_ascii_lowercase(), value));
                    }
                    rest = after;
                }
                None => {
                    // A comma, or something that is no link: the next link begins at its angle bracket.
                    self.0 = rest;
                    return Some(Link { target: target.trim(), parameters });
                }
            }
        }
    }
}

/// A name, its value, and what follows.
fn parameter(text: &str) -> (&str, String, &str) {
    let end = text.find(['=', ';', ',']).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let Some(value) = rest.strip_prefix('=') else { return (name.trim(), String::new(), rest) };
    let value = value.trim_start();
    let Some(quoted) = value.strip_prefix('"') else {
        let end = value.find([';', ',']).unwrap_or(value.len());
        return (name.trim(), value[..end].trim().to_owned(), &value[end..]);
    };
    let mut unquoted = String::new();
    let mut characters = quoted.char_indices();
    while let Some((index, character)) = characters.next() {
        match character {
            '"' => return (name.trim(), unquoted, &quoted[index + 1..]),
            '\\' => unquoted.extend(characters.next().map(|(_, escaped)| escaped)),
            other => unquoted.push(other),
        }
    }
    (name.trim(), unquoted, "")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn server(url: &str, login: Option<(&str, &str)>) -> IceServer {
        let credential = login.map(|(_, credential)| Secret::new(credential, "a test").unwrap());
        IceServer { url: url.into(), username: login.map(|(name, _)| name.into()), credential }
    }

    #[test]
    fn the_example_of_the_rfc() {
        let headers = [
            r#"<stun:stun.example.net>; rel="ice-server""#,
            r#"<turn:turn.example.net?transport=udp>; rel="ice-server"; username="user"; credential="myPassword"; credential-type="password""#,
            r#"<turns:turn.example.net?transport=tcp>; rel="ice-server"; username="user"; credential="myPassword"; credential-type="password""#,
        ];
        let login = Some(("user", "myPassword"));
        let wanted = [
            server("stun:stun.example.net", None),
            server("turn:turn.example.net?transport=udp", login),
            server("turns:turn.example.net?transport=tcp", login),
        ];
        assert_eq!(ice_servers(headers), wanted);
        assert_eq!(ice_servers([headers.join(", ").as_str()]), wanted, "or all in one header");
    }

    #[test]
    fn what_servers_write_otherwise() {
        for (header, wanted) in [
            ("<turn:t>;rel=ice-server;username=u;credential=p", vec![server("turn:t", Some(("u", "p")))]),
            (
                r#"<turn:t>; username="a,b;c\"d"; credential="<p>"; rel="preload ice-server""#,
                vec![server("turn:t", Some((r#"a,b;c"d"#, "<p>")))],
            ),
            (
                r#"<https://h/sse>; rel="urn:ietf:params:whip:ext:core:server-sent-events", <stun:s>; REL="ice-server""#,
                vec![server("stun:s", None)],
            ),
            (r#"<https://h/>; rel="ice-server""#, vec![]),
            (r#"<stun:s>"#, vec![]),
            (r#"<stun:s>; rel="ice-server; x"#, vec![]),
            ("stun:s; rel=ice-server", vec![]),
            ("", vec![]),
        ] {
            assert_eq!(ice_servers([header]), wanted, "{header}");
        }
    }

    #[test]
    fn a_password_is_not_shown() {
        let servers = ice_servers([r#"<turn:t>; rel="ice-server"; username="u"; credential="hunter2""#]);
        assert!(!format!("{servers:?}").contains("hunter2"));
    }

    proptest! {
        #[test]
        fn any_header_is_read(header in r#"([<>;,="\\ ]|rel|ice-server|stun:s|\PC){0,40}"#) {
            prop_assert!(ice_servers([header.as_str(); 4]).len() <= MAX_SERVERS);
        }
    }
}
