//! What a store gives by the page.

/// A page of a longer list, in the list's order.
///
/// A page begins behind what the one before it ended with, not after a number of rows, so that what comes and goes meanwhile neither
/// shifts nor repeats anything: what is there from the first page to the last is given exactly once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T, K> {
    /// What is on it: at most as many as were asked for, and fewer where a filter took some out.
    pub items: Vec<T>,
    /// Where the next page begins. `None` when there is nothing left, whatever is on this page.
    pub next: Option<K>,
}

impl<T, K> Page<T, K> {
    /// The page of at most so many of these that are wanted, and of one at least. Each comes with the place it has in the list; `looked_at`
    /// of them are looked at, and one more says that there are others.
    pub fn of(found: Vec<(K, T)>, limit: u32, looked_at: u32, wanted: impl Fn(&T) -> bool) -> Self {
        let limit = limit.max(1);
        let (mut items, mut last, mut found) = (Vec::new(), None, found.into_iter());
        for (place, item) in found.by_ref().take(usize::try_from(looked_at).unwrap_or(usize::MAX)) {
            last = Some(place);
            items.extend(wanted(&item).then_some(item));
            if u32::try_from(items.len()).is_ok_and(|count| count == limit) {
                break;
            }
        }
        let next = last.filter(|_| found.next().is_some());
        Self { items, next }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn even(limit: u32, looked_at: u32, there: i32) -> (Vec<i32>, Option<i32>) {
        let found = (1..=there).map(|number| (number, number)).collect();
        let page = Page::of(found, limit, looked_at, |number| number % 2 == 0);
        (page.items, page.next)
    }

    #[test]
    fn a_page_goes_on_behind_what_was_looked_at_last() {
        assert_eq!(even(2, 9, 9), (vec![2, 4], Some(4)), "it is full");
        assert_eq!(even(9, 5, 6), (vec![2, 4], Some(5)), "there is more than was looked at");
        assert_eq!(even(9, 1, 2), (vec![], Some(1)), "nothing on it is wanted");
        assert_eq!(even(9, 5, 5), (vec![2, 4], None));
        assert_eq!(even(2, 4, 4), (vec![2, 4], None), "it is full and the last one");
        assert_eq!(even(9, 9, 0), (vec![], None));
    }
}
