//! URLs, taken apart and put together as Go's net/url does.

use gotmpl::TemplateError;
use gotmpl::Value;

use super::Call;
use super::Function;
use super::Result;
use super::dict;
use super::go;
use super::text;

pub(super) const FUNCTIONS: &[Function] = &[("urlParse", 1, Some(1), parse), ("urlJoin", 1, Some(1), join)];

fn parse(call: &Call<'_>) -> Result {
    let whole = call.text(0)?;
    if whole.chars().any(|c| c.is_ascii_control()) {
        return Err(call.fault("unable to parse url: invalid control character in URL"));
    }
    let (rest, fragment) = whole.split_once('#').unwrap_or((whole, ""));
    let (scheme, rest) = scheme(rest).unwrap_or(("", rest));
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let is_opaque = !scheme.is_empty() && !rest.starts_with('/');
    let (authority, path) = match rest.strip_prefix("//") {
        Some(rest) => rest.split_at(rest.find('/').unwrap_or(rest.len())),
        None => ("", rest),
    };
    let (userinfo, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    let (path, opaque) = if is_opaque { ("", rest) } else { (path, "") };
    let decode = |part: &str| decode(part).ok_or_else(|| call.fault(format!("unable to parse url: invalid URL escape in {part:?}")));
    let entry = |key: &str, value: String| (key.into(), Value::String(value.into()));
    dict([
        entry("scheme", scheme.to_ascii_lowercase()),
        entry("host", host.to_owned()),
        entry("hostname", hostname(host).to_owned()),
        entry("path", decode(path)?),
        entry("query", query.to_owned()),
        entry("opaque", opaque.to_owned()),
        entry("fragment", decode(fragment)?),
        entry("userinfo", userinfo.to_owned()),
    ])
}

fn scheme(text: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = text.split_once(':')?;
    let valid =
        scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
    valid.then_some((scheme, rest))
}

fn hostname(host: &str) -> &str {
    if let Some(inner) = host.strip_prefix('[') {
        return inner.split(']').next().unwrap_or(inner);
    }
    host.rsplit_once(':').map_or(host, |(name, _)| name)
}

fn join(call: &Call<'_>) -> Result {
    let (scheme, host, opaque) = (part(call, "scheme")?, part(call, "host")?, part(call, "opaque")?);
    let (path, query, fragment, userinfo) = (part(call, "path")?, part(call, "query")?, part(call, "fragment")?, part(call, "userinfo")?);
    let mut url = if scheme.is_empty() { String::new() } else { format!("{scheme}:") };
    if opaque.is_empty() {
        if !scheme.is_empty() || !host.is_empty() || !userinfo.is_empty() {
            if !host.is_empty() || !path.is_empty() || !userinfo.is_empty() {
                url.push_str("//");
            }
            if !userinfo.is_empty() {
                url.extend([userinfo, "@"]);
            }
            url.push_str(host);
        }
        if !path.is_empty() && !path.starts_with('/') && !host.is_empty() {
            url.push('/');
        }
        url.push_str(&encode(path, b"$&+,/:;=@-_.~!*'()"));
    } else {
        url.push_str(opaque);
    }
    if !query.is_empty() {
        url.extend(["?", query]);
    }
    if !fragment.is_empty() {
        url.extend(["#", &encode(fragment, b"$&+,/:;=?@-_.~!*'()")]);
    }
    text(url)
}

fn part<'a>(call: &Call<'a>, key: &str) -> std::result::Result<&'a str, TemplateError> {
    match call.dict(0)?.get(key) {
        None => Ok(""),
        Some(Value::String(text)) => Ok(text),
        Some(other) => Err(call.fault(format!("unable to parse {key} key, must be of type string, but {} found", go::kind(other)))),
    }
}

fn encode(part: &str, kept: &[u8]) -> String {
    let encoded = part.bytes().map(|byte| match byte {
        byte if byte.is_ascii_alphanumeric() || kept.contains(&byte) => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    });
    encoded.collect()
}

fn decode(part: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = part.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        if *first == b'%' {
            let digits = std::str::from_utf8(after.get(..2)?).ok()?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &after[2..];
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}
