//! Encodings and checksums.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::Digest;

use super::Call;
use super::Function;
use super::Result;
use super::text;

pub(super) const FUNCTIONS: &[Function] = &[
    ("b64enc", 1, Some(1), |c| text(STANDARD.encode(c.text(0)?))),
    ("b64dec", 1, Some(1), decode_base64),
    ("b32enc", 1, Some(1), |c| text(encode_base32(c.text(0)?.as_bytes()))),
    ("b32dec", 1, Some(1), decode_base32),
    ("sha1sum", 1, Some(1), |c| text(hex(&sha1::Sha1::digest(c.text(0)?)))),
    ("sha256sum", 1, Some(1), |c| text(hex(&sha2::Sha256::digest(c.text(0)?)))),
    ("sha512sum", 1, Some(1), |c| text(hex(&sha2::Sha512::digest(c.text(0)?)))),
    ("adler32sum", 1, Some(1), |c| text(adler32(c.text(0)?.as_bytes()).to_string())),
];

fn hex(bytes: &[u8]) -> String {
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).filter_map(|half| char::from_digit(u32::from(half), 16)).collect()
}

/// The text of the error is the result, as in Sprig.
fn decode_base64(call: &Call<'_>) -> Result {
    let encoded = call.text(0)?.replace(['\r', '\n'], "");
    match STANDARD.decode(&encoded) {
        Ok(bytes) => text(String::from_utf8_lossy(&bytes)),
        Err(base64::DecodeError::InvalidByte(at, _) | base64::DecodeError::InvalidLastSymbol(at, _)) => illegal(64, at),
        Err(_) => illegal(64, encoded.len() / 4 * 4),
    }
}

fn illegal(base: u32, at: usize) -> Result {
    text(format!("illegal base{base} data at input byte {at}"))
}

const BASE32: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

fn encode_base32(bytes: &[u8]) -> String {
    let mut encoded = String::new();
    for chunk in bytes.chunks(5) {
        let bits = chunk.iter().fold(0u64, |bits, byte| bits << 8 | u64::from(*byte)) << (8 * (5 - chunk.len()));
        let used = (chunk.len() * 8).div_ceil(5);
        for at in 0..8 {
            let symbol = BASE32[(bits >> (35 - 5 * at) & 31) as usize];
            encoded.push(if at < used { char::from(symbol) } else { '=' });
        }
    }
    encoded
}

fn decode_base32(call: &Call<'_>) -> Result {
    let encoded = call.text(0)?.replace(['\r', '\n'], "");
    let symbols = encoded.trim_end_matches('=');
    let mut bits = 0u64;
    let mut held = 0;
    let mut bytes = Vec::new();
    for (at, symbol) in symbols.bytes().enumerate() {
        let Some(value) = BASE32.iter().position(|known| *known == symbol) else { return illegal(32, at) };
        bits = bits << 5 | value as u64;
        held += 5;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
        }
    }
    if encoded.len() % 8 != 0 {
        return illegal(32, encoded.len());
    }
    text(String::from_utf8_lossy(&bytes))
}

/// RFC 1950 §8.2.
fn adler32(bytes: &[u8]) -> u32 {
    let (a, b) = bytes.iter().fold((1u32, 0u32), |(a, b), byte| {
        let a = (a + u32::from(*byte)) % 65521;
        (a, (a + b) % 65521)
    });
    b << 16 | a
}
