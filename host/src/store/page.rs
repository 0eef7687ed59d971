//! What a store gives by the page.

/// A page of a longer list, in the list's order.
///
/// A page begins behind what the one before it ended with, not after a number of rows, so that what comes and goes meanwhile neither
/// shifts nor repeats anything: what is there from the first page to the last is given exactly once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T, K> {
    /// What is on it: at most as many as were asked for.
    pub items: Vec<T>,
    /// Where the next page begins. `None` when there is nothing left, whatever is on this page.
    pub next: Option<K>,
}

impl<T, K> Page<T, K> {
    /// The page of at most so many of these, and of one at least. There is one more than fits when there is another page; where that begins
    /// follows from the last one on this page and the first one behind it.
    pub fn of(mut found: Vec<T>, limit: u32, next: impl FnOnce(&T, &T) -> K) -> Self {
        let limit = usize::try_from(limit.max(1)).unwrap_or(usize::MAX);
        let next = found.get(limit - 1).zip(found.get(limit)).map(|(last, first)| next(last, first));
        found.truncate(limit);
        Self { items: found, next }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_followed_by_another_where_there_is_more_than_fits() {
        let page = |limit: u32, there: u32| {
            let page = Page::of((1..=there).collect(), limit, |last, first| (*last, *first));
            (page.items, page.next)
        };
        assert_eq!(page(2, 3), (vec![1, 2], Some((2, 3))));
        assert_eq!(page(2, 2), (vec![1, 2], None), "it is full and the last one");
        assert_eq!(page(2, 0), (vec![], None));
        assert_eq!(page(0, 2), (vec![1], Some((1, 2))), "nobody goes on from a page without anything");
        assert_eq!(page(u32::MAX, 2), (vec![1, 2], None));
    }
}
