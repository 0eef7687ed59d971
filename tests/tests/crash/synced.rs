//! What the system is asked for, in order: a mark is on the disk before a request leaves, and tokens are before they are handed out.

use std::path::Path;

use crate::arena::Arena;
use crate::tally::{Tally, report};
use crate::{has_strace, size};

const CALLS: &str = "trace=fsync,fdatasync,write,pwrite64,writev,pwritev,sendto,sendmsg";

#[test]
fn synced_to_the_disk_is_each_mark_before_its_request_and_each_token_before_its_caller() {
    if !has_strace() {
        return;
    }
    let arena = Arena::new();
    let victim = arena.connect();
    let refreshes = size("SYNCS", 12);
    let log = arena.stage.path("strace");
    let args = ["-f", "-ttt", "-y", "-s", "64", "-e", CALLS, "-o", log.to_str().unwrap()];
    let mut process = arena.refresher_under("strace", &args, &arena.place);
    for _ in 0..refreshes {
        process.order(format_args!("ask {victim}"));
        process.line("ok");
    }
    process.end().with(0);

    let order = order_of(&log);
    let requests = order.iter().filter(|deed| **deed == Deed::Request).count();
    assert_eq!(requests, refreshes, "{order:?}");
    // From one answer to the next: mark, request, tokens. Whatever else is written must not stay behind either.
    let answers: Vec<&[Deed]> = order.split(|deed| *deed == Deed::Answer).collect();
    let in_order = answers[..refreshes].iter().filter(|deeds| is_in_order(deeds)).count();
    let tally = Tally::of(&arena, [&victim]);
    let counted = report("synced", &arena, &tally, &format!("in order {in_order} of {refreshes}"));
    assert_eq!((in_order, counted), (refreshes, (0, 1)), "{order:?}");
    tally.assert(1, 0);
}

/// What a process does that matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    /// Something of the store is written, and may still be lost.
    Write,
    /// It is on the disk.
    Synced,
    /// A token request begins to leave.
    Request,
    /// A caller gets what it asked for.
    Answer,
}

/// Whether what was written is on the disk before the request, and before the end.
fn is_in_order(deeds: &[Deed]) -> bool {
    let Some(request) = deeds.iter().position(|deed| *deed == Deed::Request) else { return false };
    let durable = |deeds: &[Deed]| {
        let written = deeds.iter().rposition(|deed| *deed == Deed::Write);
        written.is_some_and(|written| deeds[written..].contains(&Deed::Synced))
    };
    durable(&deeds[..request]) && durable(&deeds[request..])
}

/// What a log of strace says, in order. A sync counts when it ends, everything else when it begins.
fn order_of(log: &Path) -> Vec<Deed> {
    let text = std::fs::read_to_string(log).unwrap();
    let mut syncing = std::collections::HashMap::new();
    text.lines().filter_map(|line| deed(line, &mut syncing)).collect()
}

/// `PID TIME call(..) = result`, in one line or in two with others in between.
fn deed<'a>(line: &'a str, syncing: &mut std::collections::HashMap<&'a str, bool>) -> Option<Deed> {
    let (thread, rest) = line.split_once(' ')?;
    let (_, call) = rest.trim_start().split_once(' ')?;
    if call.starts_with("<... fsync") || call.starts_with("<... fdatasync") {
        return (syncing.remove(thread)? && call.ends_with("= 0")).then_some(Deed::Synced);
    }
    let (name, args) = call.split_once('(')?;
    let of_store = args.split(',').next().is_some_and(|file| file.contains("/store.db-wal>"));
    match name {
        "fsync" | "fdatasync" if call.contains("<unfinished") => {
            syncing.insert(thread, of_store);
            None
        }
        "fsync" | "fdatasync" => (of_store && call.ends_with("= 0")).then_some(Deed::Synced),
        _ if of_store => Some(Deed::Write),
        _ if args.contains("POST /v2/oauth/token/") => Some(Deed::Request),
        "write" if args.starts_with("1<") && args.contains("\"ok ") => Some(Deed::Answer),
        _ => None,
    }
}

#[test]
fn the_order_is_read_from_calls_in_one_line_and_in_two() {
    let lines = [
        r#"7 1.1 pwrite64(9</d/store.db-wal>, "\0"..., 24, 0) = 24"#,
        r"7 1.2 fdatasync(9</d/store.db-wal> <unfinished ...>",
        r#"8  1.3 write(11<socket:[5]>, "POST /v2/oauth/token/ HTTP"..., 90) = 90"#,
        r"7 1.4 <... fdatasync resumed>)       = 0",
        r"9 1.5 fdatasync(10</d/other>) = 0",
        r#"9 1.6 write(1<pipe:[3]>, "ok t1\n", 6 <unfinished ...>"#,
    ];
    let mut syncing = std::collections::HashMap::new();
    let found: Vec<_> = lines.into_iter().filter_map(|line| deed(line, &mut syncing)).collect();
    assert_eq!(found, [Deed::Write, Deed::Request, Deed::Synced, Deed::Answer]);
    assert!(!is_in_order(&found), "the request left before the mark was on the disk");
    let good = [Deed::Write, Deed::Synced, Deed::Request, Deed::Write, Deed::Synced];
    assert!(is_in_order(&good) && !is_in_order(&good[..4]) && !is_in_order(&good[2..]));
}
