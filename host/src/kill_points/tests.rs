use std::collections::BTreeSet;
use std::env;
use std::process::{Command, Stdio};

use super::*;

/// Set when one of these tests runs this program again.
const ROLE: &str = "CONNECTOR_KILL_POINTS_TEST";
const WALK: &str = "kill_points::tests::a_process_passes_each_point_twice";

/// This program, passing all points twice, with this in its environment.
fn walk(variable: &str, value: &str) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", WALK, "--nocapture"]).env(ROLE, "walk").env(variable, value);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// What it says: the points that it has left behind.
fn passed(output: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(output);
    text.lines().filter_map(|line| line.rsplit_once("passed ")).map(|(_, word)| word.to_owned()).collect()
}

fn both_rounds() -> Vec<String> {
    KillPoint::ALL.into_iter().cycle().take(12).map(|point| point.word().to_owned()).collect()
}

#[test]
#[expect(clippy::print_stdout, reason = "the process that started this one reads it")]
fn a_process_passes_each_point_twice() {
    if env::var_os(ROLE).is_some() {
        for point in KillPoint::ALL.into_iter().cycle().take(12) {
            reach(point);
            println!("passed {}", point.word());
        }
    }
}

#[test]
fn words_are_distinct_and_the_list_is_whole() {
    let words: BTreeSet<_> = KillPoint::ALL.iter().map(|point| point.word()).collect();
    assert_eq!(words.len(), KillPoint::ALL.len());
    for (index, point) in KillPoint::ALL.into_iter().enumerate() {
        // A new point has a new number, which must be in the list as well.
        assert_eq!(point as usize, index);
    }
    assert_eq!(KillPoint::AfterCommit as usize + 1, KillPoint::ALL.len());
}

#[test]
#[cfg(not(feature = "kill-points"))]
fn without_the_feature_nothing_happens_at_any_point() {
    for variable in ["CONNECTOR_KILL_AT", "CONNECTOR_STOP_AT"] {
        for value in ["after_mark", "nonsense"] {
            let output = walk(variable, value).output().unwrap();
            assert!(output.status.success());
            assert_eq!(passed(&output.stdout), both_rounds());
        }
    }
}

#[cfg(all(unix, feature = "kill-points"))]
mod with_the_feature {
    use std::os::unix::process::ExitStatusExt as _;

    use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};

    use super::*;

    #[test]
    fn the_process_is_killed_at_each_point_the_time_it_was_told() {
        for (index, point) in KillPoint::ALL.into_iter().enumerate() {
            for (value, before) in [(point.word().to_owned(), index), (format!("{}:2", point.word()), index + 6)] {
                let output = walk("CONNECTOR_KILL_AT", &value).output().unwrap();
                assert_eq!(output.status.signal(), Some(Signal::KILL.as_raw()), "{value}: {output:?}");
                assert_eq!(passed(&output.stdout), both_rounds()[..before], "{value}");
            }
        }
    }

    #[test]
    fn the_process_stops_at_its_point_and_goes_on_when_told() {
        let child = walk("CONNECTOR_STOP_AT", "answer_read:2").spawn().unwrap();
        let id = Pid::from_child(&child);
        let until = WaitIdOptions::STOPPED | WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        let status = waitid(WaitId::Pid(id), until).unwrap().unwrap();
        assert!(status.stopped(), "{status:?}");
        kill_process(id, Signal::CONT).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
        assert_eq!(passed(&output.stdout), both_rounds());
    }

    #[test]
    fn a_point_that_does_not_exist_ends_the_process_loudly() {
        let output = walk("CONNECTOR_KILL_AT", "afer_mark").output().unwrap();
        assert_eq!(output.status.signal(), Some(Signal::ABORT.as_raw()));
        assert_eq!(passed(&output.stdout), [""; 0]);
    }
}
