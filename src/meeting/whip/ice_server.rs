//! STUN and TURN servers that a media server names in `Link` headers (RFC 9725 §4.6, RFC 8288 §3). Pure.

use crate::config::{IceCredentials, IceScheme, IceServer, IceUrl, Secret};
use crate::socketio::quote;

/// Servers that are taken from one answer at most.
const MAX_SERVERS: usize = 8;
/// The longest username that a STUN message holds, in bytes (RFC 8489 §14.3: fewer than 509).
const MAX_USERNAME: usize = 508;

/// A server that is named, and cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{server} {fault}")]
pub struct UnusableServer {
    /// Its address, without what may be a user or a password.
    server: String,
    fault: LinkFault,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum LinkFault {
    #[error("is no address of a STUN or TURN server such as turn:HOST:PORT?transport=udp")]
    Address,
    #[error("comes without a username and a credential")]
    NoCredentials,
    #[error("wants credentials of another type than a password")]
    CredentialType,
    #[error(
        "comes with a username or a credential that is empty, too long, or has spaces at its ends or control characters"
    )]
    Credentials,
}

/// Reads `Link` headers. Links with other relations are ignored, and so is what is no link.
pub fn ice_servers<'a>(headers: impl IntoIterator<Item = &'a str>) -> Vec<Result<IceServer, UnusableServer>> {
    headers.into_iter().flat_map(|header| Links(header).filter_map(server)).take(MAX_SERVERS).collect()
}

/// The server that a link names, if that is its relation.
fn server(link: Link<'_>) -> Option<Result<IceServer, UnusableServer>> {
    link.parameter("rel")?.split_ascii_whitespace().find(|rel| *rel == "ice-server")?;
    let Ok(url) = link.target.parse::<IceUrl>() else {
        let address = link.target.rsplit_once('@').map_or(link.target, |(_, address)| address);
        return Some(Err(UnusableServer { server: quote(address), fault: LinkFault::Address }));
    };
    let credentials = match url.scheme {
        IceScheme::Stun => Ok(None),
        IceScheme::Turn | IceScheme::Turns => credentials(&link).map(Some),
    };
    Some(match credentials {
        Ok(credentials) => Ok(IceServer { urls: vec![url], credentials }),
        Err(fault) => Err(UnusableServer { server: url.to_string(), fault }),
    })
}

fn credentials(link: &Link<'_>) -> Result<IceCredentials, LinkFault> {
    if link.parameter("credential-type").is_some_and(|kind| kind != "password") {
        return Err(LinkFault::CredentialType);
    }
    let (Some(username), Some(password)) = (link.parameter("username"), link.parameter("credential")) else {
        return Err(LinkFault::NoCredentials);
    };
    let is_username = (1..=MAX_USERNAME).contains(&username.len()) && !username.contains(char::is_control);
    let password = Secret::new(password, "a Link header").ok().filter(|_| is_username);
    let password = password.ok_or(LinkFault::Credentials)?;
    Ok(IceCredentials::Password { username: username.to_owned(), password })
}

struct Link<'a> {
    target: &'a str,
    parameters: Vec<(String, String)>,
}

impl Link<'_> {
    /// The first parameter of this name (RFC 8288 §3.3: later ones are ignored).
    fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
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

    fn server(url: &str, login: Option<(&str, &str)>) -> Result<IceServer, UnusableServer> {
        let credentials = login.map(|(username, password)| IceCredentials::Password {
            username: username.into(),
            password: Secret::new(password, "a test").unwrap(),
        });
        Ok(IceServer { urls: vec![url.parse().unwrap()], credentials })
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
            (r#"<stun:s>"#, vec![]),
            (r#"<stun:s>; rel="ice-server; x"#, vec![]),
            ("stun:s; rel=ice-server", vec![]),
            ("", vec![]),
        ] {
            assert_eq!(ice_servers([header]), wanted, "{header}");
        }
    }

    #[test]
    fn what_cannot_be_used_is_said() {
        let login = r#"username="u"; credential="hunter2""#;
        let long = "u".repeat(MAX_USERNAME + 1);
        for (target, parameters, why) in [
            ("https://h/", login, "https://h/ is no address"),
            ("turn:u:hunter2@h", login, "h is no address"),
            ("stuns:h", "", "stuns:h is no address"),
            ("turn:h", "", "turn:h:3478?transport=udp comes without"),
            ("turns:h", "credential=hunter2", "turns:h:5349?transport=tcp comes without"),
            ("turn:h", &format!("{login}; credential-type=oauth"), "turn:h:3478?transport=udp wants"),
            (
                "turn:h",
                r#"username=""; credential="hunter2""#,
                "turn:h:3478?transport=udp comes with a username",
            ),
            ("turn:h", r#"username="u"; credential="""#, "turn:h:3478?transport=udp comes with a username"),
            (
                "turn:h",
                &format!("username={long}; credential=hunter2"),
                "turn:h:3478?transport=udp comes with a",
            ),
        ] {
            let header = format!("<{target}>; rel=ice-server; {parameters}");
            let servers = ice_servers([header.as_str()]);
            let [Err(unusable)] = &servers[..] else { panic!("{header}: {servers:?}") };
            assert!(unusable.to_string().starts_with(why), "{header}: {unusable}");
            assert!(!unusable.to_string().contains("hunter2"), "{unusable}");
        }
        let longest = format!("<turn:h>; rel=ice-server; username={}; credential=p", &long[1..]);
        assert!(matches!(ice_servers([longest.as_str()])[..], [Ok(_)]));
    }

    #[test]
    fn a_password_is_not_shown() {
        let servers = ice_servers([r#"<turn:t>; rel="ice-server"; username="u"; credential="hunter2""#]);
        assert!(matches!(servers[..], [Ok(_)]) && !format!("{servers:?}").contains("hunter2"));
    }

    proptest! {
        #[test]
        fn any_header_is_read(header in r#"([<>;,="\\ ]|rel|ice-server|stun:s|\PC){0,40}"#) {
            prop_assert!(ice_servers([header.as_str(); 4]).len() <= MAX_SERVERS);
        }
    }
}
