//! What a registry asks for in `WWW-Authenticate` (RFC 7235, and `distribution/docs/spec/auth/token.md`).

/// How a registry wants to know who we are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Challenge {
    /// Not at all.
    None,
    /// User and password with each request.
    Basic,
    /// A token from a token server.
    Bearer {
        /// The token server's URL.
        realm: String,
        /// The name under which it knows this registry.
        service: Option<String>,
    },
}

impl Challenge {
    /// Returns the challenge that these header values hold; a bearer token is preferred to a password.
    pub(super) fn parse<'a>(headers: impl Iterator<Item = &'a str>) -> Self {
        let mut found = Self::None;
        for header in headers {
            let (scheme, parameters) = header.trim().split_once(' ').unwrap_or((header.trim(), ""));
            if scheme.eq_ignore_ascii_case("bearer") {
                let parameters = parse_parameters(parameters);
                let get = |name: &str| parameters.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.clone());
                if let Some(realm) = get("realm") {
                    return Self::Bearer { realm, service: get("service") };
                }
            } else if scheme.eq_ignore_ascii_case("basic") {
                found = Self::Basic;
            }
        }
        found
    }
}

/// Splits `a="b, c",d=e` into its pairs; quoted values may hold commas and escaped quotes.
fn parse_parameters(text: &str) -> Vec<(String, String)> {
    let mut pairs = Vec::new();
    let mut rest = text;
    while let Some((key, after)) = rest.split_once('=') {
        let key = key.trim_matches([' ', ',']).to_owned();
        let after = after.trim_start();
        let (value, remaining) = if let Some(quoted) = after.strip_prefix('"') {
            unquote(quoted)
        } else {
            let (value, remaining) = after.split_once(',').unwrap_or((after, ""));
            (value.trim().to_owned(), remaining)
        };
        pairs.push((key, value));
        rest = remaining;
    }
    pairs
}

fn unquote(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return (value, &text[at + 1..]),
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            _ => value.push(character),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_are_read_from_real_headers() {
        let bearer =
            |realm: &str, service: Option<&str>| Challenge::Bearer { realm: realm.to_owned(), service: service.map(ToOwned::to_owned) };
        for (headers, expected) in [
            (vec![], Challenge::None),
            (vec!["Basic realm=\"x\""], Challenge::Basic),
            (vec!["basic"], Challenge::Basic),
            (
                vec!["Bearer realm=\"https://auth.docker.io/token\",service=\"registry.docker.io\",scope=\"repository:a/b:pull,push\""],
                bearer("https://auth.docker.io/token", Some("registry.docker.io")),
            ),
            (vec!["Basic realm=\"x\"", "bearer realm=https://a/t , service=s"], bearer("https://a/t", Some("s"))),
            (vec!["Bearer realm=\"https://a/\\\"t\""], bearer("https://a/\"t", None)),
            (vec!["Bearer service=\"no realm\""], Challenge::None),
            (vec!["Negotiate"], Challenge::None),
        ] {
            assert_eq!(Challenge::parse(headers.iter().copied()), expected, "{headers:?}");
        }
    }
}
