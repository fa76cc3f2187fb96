//! What a misspelled word was probably meant to be.

/// A longer word is no slip of the pen, and would take long to compare.
const LONGEST: usize = 200;

/// Returns the one of `known` that `word` was probably meant to be; none if nothing is near.
pub fn nearest<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    if word.len() > LONGEST {
        return None;
    }
    let lower = word.to_lowercase();
    let distance = |candidate: &str| strsim::damerau_levenshtein(&candidate.to_lowercase(), &lower);
    let (distance, candidate) = known.iter().map(|candidate| (distance(candidate), *candidate)).min_by_key(|(distance, _)| *distance)?;
    let is_part = candidate.len() > 3
        && lower.len() > 3
        && (lower.starts_with(&candidate.to_lowercase()) || candidate.to_lowercase().starts_with(&lower));
    (distance <= word.chars().count().max(3) / 3 || is_part).then_some(candidate)
}
