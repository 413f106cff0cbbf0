//! What is kept of times, when the clock was set back: nothing may wait longer than it would have.
//!
//! A time that was written down before lies in the future then. It is moved to the present, once, with what hangs on
//! it; to reckon with the present at each look instead would put the thing off at each look.

use super::roles::{ladders, patrols};
use super::tries;
use crate::queue::wait;
use crate::store::{StoreError, Write};

/// Moves what lies ahead of the write's time; says how much that was.
///
/// Moments that somebody named (a deferral, a timer, how long a policy holds or remembers something) stay.
pub fn settle(w: &mut Write<'_>) -> Result<usize, StoreError> {
    Ok(ladders::set_back(w)? + patrols::set_back(w)? + tries::set_back(w)? + wait::set_back(w)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{BeadId, RigName, Time};
    use crate::policy::{LadderKey, Ladders as _, Place};
    use crate::store::{Stamp, temporary};
    use crate::town::intent::{Act, Intent};
    use crate::town::roles::ladders::StoredLadders;
    use crate::town::roles::patrols::Schedule;

    const HOUR: i64 = 3_600_000;

    #[test]
    fn after_a_clock_was_set_back_nothing_waits_longer_than_it_would_have() {
        let (late, early) = (Time::from_millis(100 * HOUR), Time::from_millis(50 * HOUR));
        let (_dir, mut store) = temporary("hq", early);
        let rig = RigName::new("app").expect("name");
        let mr = BeadId::new("gt-mr1").expect("id");
        let key = LadderKey("witness/nudge-silent/gt-1".into());
        let toast = Intent::new(
            "app/polecats/toast".parse().expect("address"),
            "deacon",
            early,
            Act::Stop { why: "a test".into() },
        );
        let place = Place { rung: 1, times: 1, at_ms: late.millis() };
        let climb = crate::policy::Climb { key: key.clone(), place };
        let patrol = Schedule {
            every_ms: Some(HOUR),
            last_ms: late.millis(),
            retry_ms: Some(late.millis()),
            ..Schedule::default()
        };
        store
            .write::<_, StoreError>(&Stamp::new("deacon", late), |w| {
                ladders::climb(w, &climb)?;
                w.put_local("patrol", "app/p", &serde_json::json!(patrol))?;
                tries::failed(w, &toast, "no")?;
                wait::set_pause(w, &rig, "away")?;
                wait::set_pause(w, &rig, "away")?;
                wait::set_wait(w, &mr, "red", None)
            })
            .expect("written");
        let stamp = Stamp::new("deacon", early);
        assert_eq!(store.write(&stamp, settle).expect("settled"), 5);
        assert_eq!(store.write(&stamp, settle).expect("settled"), 0, "once");
        let read = store.read(|r| {
            let place = StoredLadders::read(r)?.place(&key).ok().flatten();
            let patrol = patrols::get(r, "app", "p")?.expect("kept");
            let tries = tries::get(r, &toast)?.expect("kept");
            let pause = wait::pause(r, &rig)?.expect("kept");
            Ok::<_, StoreError>((place, patrol, tries, pause, wait::wait(r, &mr)?.expect("kept")))
        });
        let (place, patrol, tries, pause, wait) = read.expect("read");
        assert_eq!(place, Some(Place { rung: 1, times: 1, at_ms: early.millis() }), "its rung is not forgotten");
        assert_eq!(patrol.last_ms, early.millis());
        assert!(patrol.retry_ms.is_some_and(|at| (early.millis()..early.millis() + HOUR).contains(&at)));
        assert_eq!(tries.last, early);
        assert_eq!((pause.tries, pause.until), (2, early.plus_millis(30_000)), "the second wait of a queue");
        assert_eq!(wait.until, early.plus_millis(HOUR / 2));
    }
}
