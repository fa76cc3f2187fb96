//! Durations in words, as Skaffold says them (`pkg/skaffold/util/time/time.go`).

use std::time::Duration;

/// Returns `845ms`, `1.2 seconds`, `1 minute 30 seconds`.
pub(crate) fn humanize(duration: Duration) -> String {
    if duration < Duration::from_secs(1) {
        return format!("{}ms", duration.as_millis());
    }
    let seconds = duration.as_secs();
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
    let milliseconds = duration.as_millis() as u64 % 60_000;
    let mut words = Vec::new();
    let mut say = |text: String, unit: &str| {
        let plural = if text == "1" { "" } else { "s" };
        words.push(format!("{text} {unit}{plural}"));
    };
    if hours > 0 {
        say(hours.to_string(), "hour");
    }
    if hours > 0 || minutes > 0 {
        say(minutes.to_string(), "minute");
    }
    let fraction = format!("{:03}", milliseconds % 1000);
    let fraction = fraction.trim_end_matches('0');
    let point = if fraction.is_empty() { "" } else { "." };
    say(format!("{}{point}{fraction}", milliseconds / 1000), "second");
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_words() {
        for (milliseconds, text) in [
            (0, "0ms"),
            (845, "845ms"),
            (1_000, "1 second"),
            (1_200, "1.2 seconds"),
            (2_345, "2.345 seconds"),
            (60_000, "1 minute 0 seconds"),
            (90_000, "1 minute 30 seconds"),
            (3_600_000, "1 hour 0 minutes 0 seconds"),
            (7_384_005, "2 hours 3 minutes 4.005 seconds"),
        ] {
            assert_eq!(humanize(Duration::from_millis(milliseconds)), text);
        }
    }
}
