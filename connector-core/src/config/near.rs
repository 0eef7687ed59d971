//! "Did you mean …?"

/// The ending of a sentence about a wrong word: `; did you mean …?` if a right one is close, else nothing.
pub(super) fn did_you_mean<'a>(word: &str, right: impl IntoIterator<Item = &'a str>) -> String {
    nearest(word, right).map(|near| format!("; did you mean `{}`?", near.escape_debug())).unwrap_or_default()
}

/// The right word nearest to a wrong one, if it is so close that a slip of the finger explains the difference.
pub(super) fn nearest<'a>(word: &str, right: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let slips = (word.chars().count() / 3).clamp(1, 3);
    let near = right.into_iter().map(|candidate| (distance(word, candidate), candidate));
    near.filter(|(distance, _)| *distance <= slips)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// How many letters have to be put in, left out, changed or swapped with their neighbour.
fn distance(from: &str, to: &str) -> usize {
    let (from, to) = (from.chars().collect::<Vec<_>>(), to.chars().collect::<Vec<_>>());
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in to.iter().enumerate() {
            let change = last[j] + usize::from(a != b);
            let mut cost = change.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *a == to[j - 1] && from[i - 1] == *b {
                cost = cost.min(before[j - 1] + 1);
            }
            row.push(cost);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_recognized_and_another_word_is_not() {
        let words = ["scopes", "pending", "client_id", "client_secret"];
        for (wrong, right) in [
            ("scope", Some("scopes")),
            ("socpes", Some("scopes")),
            ("client_sercet", Some("client_secret")),
            ("clientid", Some("client_id")),
            ("token", None),
            ("", None),
        ] {
            assert_eq!(nearest(wrong, words), right, "{wrong}");
        }
    }

    #[test]
    fn letters_count_not_bytes() {
        assert_eq!(
            (distance("é", "e"), distance("", "abc"), distance("ab", "ba"), distance("same", "same")),
            (1, 3, 1, 0)
        );
    }
}
