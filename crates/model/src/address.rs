//! Addresses with credentials in them, as they are shown.

/// Returns the text with the credentials of each web address in it hidden: as many stars as they have characters, so that columns stay.
///
/// A name without a password is shown (`ssh://git@host`), but not over HTTP, where a token stands alone.
pub fn without_credentials(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + "://".len());
        shown.push_str(before);
        let end = after.find(|c: char| c == '/' || c.is_whitespace()).unwrap_or(after.len());
        let (authority, tail) = after.split_at(end);
        let (user, host) = authority.rfind('@').map_or(("", authority), |at| authority.split_at(at));
        let is_web = before.ends_with("http://") || before.ends_with("https://");
        let kept = if is_web { 0 } else { user.find(':').map_or(user.len(), |colon| colon + 1) };
        shown.push_str(&user[..kept]);
        shown.extend(user[kept..].chars().map(|_| '*'));
        shown.push_str(host);
        rest = tail;
    }
    shown.push_str(rest);
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_hidden_and_names_are_not() {
        for (text, shown) in [
            ("https://me:t0ken@host/a.git and more", "https://********@host/a.git and more"),
            ("'https://t0ken@host/a': no", "'https://*****@host/a': no"),
            ("{repo: https://u:p@ss@host}", "{repo: https://******@host}"),
            ("ssh://git@host/a ssh://git:pw@host/a", "ssh://git@host/a ssh://git:**@host/a"),
            ("https://host/a@b git@host:a me@there", "https://host/a@b git@host:a me@there"),
            ("https://ü:ö@h https://u@h", "https://***@h https://*@h"),
            ("", ""),
        ] {
            assert_eq!(without_credentials(text), shown);
        }
    }
}
