//! What a Dockerfile says of the ports of its image.

use super::parse::Dockerfile;

/// Returns the ports that `EXPOSE` names as numbers, in order; none if the text is no Dockerfile.
pub fn exposed_ports(text: &str) -> Option<Vec<u16>> {
    let file = Dockerfile::parse(text).ok()?;
    if !file.instructions.iter().any(|instruction| instruction.name == "FROM") {
        return None;
    }
    let exposing = file.instructions.iter().filter(|instruction| instruction.name == "EXPOSE");
    let words = exposing.flat_map(|instruction| instruction.words(file.escape));
    // A range and a variable are no one port.
    Some(words.filter_map(|word| word.split('/').next()?.parse().ok()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_those_of_expose() {
        for (text, expected) in [
            ("FROM scratch\nEXPOSE 80 443/tcp\nexpose $PORT 8000-8002\nEXPOSE 53/udp\n", Some(vec![80, 443, 53])),
            ("# syntax=docker/dockerfile:1\nFROM scratch\n", Some(vec![])),
            ("", None),
            ("ARG X\n", None),
            ("# About\n\nFROM is a word\nThis is text\n", None),
        ] {
            assert_eq!(exposed_ports(text), expected, "{text}");
        }
    }
}
