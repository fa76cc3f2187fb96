//! Circles among things that need one another. Without recursion, since chains may be as long as a file.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::collections::HashSet;

/// What needs itself over others.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Circle<'a> {
    /// The way back: the last name is the first.
    pub(super) names: Vec<&'a str>,
    /// Which of the needs of the last but one closes it.
    pub(super) index: usize,
}

/// Returns the circles that are met on the way from `starts`, in that order, over what each needs.
pub(super) fn circles<'a>(starts: &[&'a str], needs: &BTreeMap<&'a str, Vec<&'a str>>) -> Vec<Circle<'a>> {
    let mut found = Vec::new();
    let mut done: HashSet<&str> = HashSet::new();
    for start in starts {
        let mut path = Vec::new();
        let mut places: HashMap<&str, usize> = HashMap::new();
        if needs.contains_key(start) && !done.contains(start) {
            places.insert(start, 0);
            path.push((*start, 0));
        }
        while let Some((name, index)) = path.last().copied() {
            let Some(next) = needs[name].get(index).copied() else {
                path.pop();
                places.remove(name);
                done.insert(name);
                continue;
            };
            path.last_mut().expect("it was just looked at").1 += 1;
            if let Some(place) = places.get(next) {
                let names = path[*place..].iter().map(|(name, _)| *name).chain([next]).collect();
                found.push(Circle { names, index });
            } else if needs.contains_key(next) && !done.contains(next) {
                places.insert(next, path.len());
                path.push((next, 0));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(needs: &[(&'static str, &[&'static str])]) -> Vec<String> {
        let starts: Vec<&str> = needs.iter().map(|(name, _)| *name).collect();
        let needs = needs.iter().map(|(name, needs)| (*name, needs.to_vec())).collect();
        circles(&starts, &needs).iter().map(|circle| format!("{} {}", circle.names.join(">"), circle.index)).collect()
    }

    #[test]
    fn circles_are_found_where_they_close() {
        for (needs, expected) in [
            (&[("a", &["b", "c"][..]), ("b", &["c"]), ("c", &[])][..], &[][..]),
            (&[("a", &["a"])], &["a>a 0"]),
            (&[("c", &["b"]), ("b", &["x", "c"])], &["c>b>c 1"]),
            (&[("start", &["b"]), ("b", &["c"]), ("c", &["b", "start"])], &["b>c>b 0", "start>b>c>start 1"]),
            (&[("a", &["unknown"])], &[]),
        ] {
            assert_eq!(found(needs), expected, "{needs:?}");
        }
    }
}
