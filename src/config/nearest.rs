//! The word that was probably meant.

/// The candidate nearest to `word`, if one is near: at most two slips (a letter missing, added, wrong, or two swapped), or
/// `word` is how the candidate begins.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let length = word.chars().count();
    let (distance, candidate) = candidates
        .into_iter()
        .map(|candidate| {
            let starts = length >= 2 && candidate.starts_with(&word);
            (if starts { 1 } else { distance(&word, &candidate.to_lowercase()) }, candidate)
        })
        .min_by_key(|(distance, _)| *distance)?;
    (distance <= 2 && distance < length).then_some(candidate)
}

/// Optimal string alignment distance, over the three last rows of its table.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().take(64).collect();
    let b: Vec<char> = b.chars().take(64).collect();
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let mut cost = (above[j] + usize::from(x != y)).min(above[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y {
                cost = cost.min(before[j - 1] + 1);
            }
            row.push(cost);
        }
        before = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_found_and_strangers_are_not() {
        let words = ["call", "answer", "hangup", "transfer", "accept-transfer", "mute", "unmute"];
        let table = [
            ("cal", Some("call")),
            ("caall", Some("call")),
            ("clal", Some("call")),
            ("anwser", Some("answer")),
            ("HANGUP", Some("hangup")),
            ("trans", Some("transfer")),
            ("accept", Some("accept-transfer")),
            ("umnute", Some("unmute")),
            ("dance", None),
            ("x", None),
            ("", None),
        ];
        for (word, expected) in table {
            assert_eq!(nearest(word, words), expected, "{word}");
        }
    }
}
