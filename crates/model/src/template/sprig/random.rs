//! Random text, and the names of functions that this program leaves out.

use gotmpl::TemplateError;
use gotmpl::Value;

use super::Call;
use super::Function;
use super::Result;
use super::text;

pub(super) const FUNCTIONS: &[Function] = &[
    ("uuidv4", 0, Some(0), |_| text(uuid::Uuid::new_v4().to_string())),
    ("randAlphaNum", 1, Some(1), |c| random(c, |b| b.is_ascii_alphanumeric())),
    ("randAlpha", 1, Some(1), |c| random(c, |b| b.is_ascii_alphabetic())),
    ("randNumeric", 1, Some(1), |c| random(c, |b| b.is_ascii_digit())),
    ("randAscii", 1, Some(1), |c| random(c, |b| (32..127).contains(&b))),
    ("randBytes", 1, Some(1), random_bytes),
    ("randInt", 2, Some(2), random_int),
    ("shuffle", 1, Some(1), shuffle),
    ("getHostByName", 1, None, left_out),
    ("bcrypt", 0, None, left_out),
    ("htpasswd", 0, None, left_out),
    ("derivePassword", 0, None, left_out),
    ("genPrivateKey", 0, None, left_out),
    ("buildCustomCert", 0, None, left_out),
    ("genCA", 0, None, left_out),
    ("genCAWithKey", 0, None, left_out),
    ("genSelfSignedCert", 0, None, left_out),
    ("genSelfSignedCertWithKey", 0, None, left_out),
    ("genSignedCert", 0, None, left_out),
    ("genSignedCertWithKey", 0, None, left_out),
    ("encryptAES", 0, None, left_out),
    ("decryptAES", 0, None, left_out),
];

/// A name lookup or a key in a template would change its text at every run.
fn left_out(call: &Call<'_>) -> Result {
    Err(call.fault("this version does not have this function of Sprig; compute the value outside and pass it as a variable"))
}

/// Returns bytes from the system's random source without end.
fn bytes() -> impl Iterator<Item = u8> {
    // Bytes 6 and 8 of a random UUID have fixed bits (RFC 9562 §5.4).
    std::iter::repeat_with(|| *uuid::Uuid::new_v4().as_bytes())
        .flat_map(|bytes| bytes.into_iter().enumerate().filter(|(at, _)| *at != 6 && *at != 8).map(|(_, byte)| byte))
}

fn count(call: &Call<'_>) -> std::result::Result<usize, TemplateError> {
    usize::try_from(call.int(0)?).ok().filter(|count| *count <= 1 << 16).ok_or_else(|| call.fault("the length must be from 0 to 65536"))
}

fn random(call: &Call<'_>, wanted: fn(u8) -> bool) -> Result {
    text(bytes().filter(|byte| wanted(*byte)).take(count(call)?).map(char::from).collect::<String>())
}

fn random_bytes(call: &Call<'_>) -> Result {
    use base64::Engine;
    let bytes: Vec<u8> = bytes().take(count(call)?).collect();
    text(base64::engine::general_purpose::STANDARD.encode(bytes))
}

/// Returns a number below `limit`, each as likely as the others.
fn below(limit: u64) -> u64 {
    let fair = u64::MAX - u64::MAX % limit;
    let mut bytes = bytes();
    loop {
        let number = bytes.by_ref().take(8).fold(0, |number, byte| number << 8 | u64::from(byte));
        if number < fair {
            return number % limit;
        }
    }
}

fn random_int(call: &Call<'_>) -> Result {
    let (least, limit) = (call.int(0)?, call.int(1)?);
    let width =
        limit.checked_sub(least).filter(|width| *width > 0).ok_or_else(|| call.fault("the second number must be above the first"))?;
    Ok(Value::Int(least + below(width as u64).cast_signed()))
}

fn shuffle(call: &Call<'_>) -> Result {
    let mut chars: Vec<char> = call.text(0)?.chars().collect();
    for at in (1..chars.len()).rev() {
        chars.swap(at, below(at as u64 + 1) as usize);
    }
    text(chars.into_iter().collect::<String>())
}
