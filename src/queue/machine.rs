//! The states of one merge request and the only function that moves between them.
//!
//! It promises: merged is reached once, and only with a gate's pass on exactly the commit that landed
//! (or because the target contains the source commit already); after a crash anywhere, `Interrupted` brings
//! the request back to the queue and `Landed` finishes what had been pushed.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Where a merge request stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Waits for its turn.
    Queued,
    /// Passed its gates and waits for a person's word.
    Held,
    /// Its merge is being made in the object database.
    Building,
    /// The gates run on the merged tree.
    Gating,
    /// The tested commit is on its way to the target.
    Pushing,
    /// On the target. Final.
    Merged,
    /// Did not merge cleanly; went back to its worker. Final: a new `done` makes a new request.
    Conflict,
    /// A gate failed because of it; went back to its worker. Final.
    Failed,
    /// Sent back or withdrawn by a person or a policy, or sent back because it changes nothing. Final.
    Rejected,
}

impl State {
    /// Every state, in the order of the path through the queue.
    pub const ALL: [State; 9] = [
        State::Queued,
        State::Held,
        State::Building,
        State::Gating,
        State::Pushing,
        State::Merged,
        State::Conflict,
        State::Failed,
        State::Rejected,
    ];

    /// The word in JSON and on screens.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Held => "held",
            Self::Building => "building",
            Self::Gating => "gating",
            Self::Pushing => "pushing",
            Self::Merged => "merged",
            Self::Conflict => "conflict",
            Self::Failed => "failed",
            Self::Rejected => "rejected",
        }
    }

    /// What is so of a change in this state, to follow its name: `failed its gates`.
    pub const fn is(self) -> &'static str {
        match self {
            Self::Queued => "waits in the queue",
            Self::Held => "passed its gates and waits for a person's word",
            Self::Building => "is being merged for a try",
            Self::Gating => "is being tested",
            Self::Pushing => "is being pushed",
            Self::Merged => "has landed",
            Self::Conflict => "does not merge cleanly with its target",
            Self::Failed => "failed its gates",
            Self::Rejected => "was sent back",
        }
    }

    /// Reads a word back.
    pub fn from_word(word: &str) -> Option<State> {
        Self::ALL.into_iter().find(|s| s.word() == word)
    }

    /// Nothing moves it any more.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Merged | Self::Conflict | Self::Failed | Self::Rejected)
    }

    /// The queue has it in hand right now; after a crash it is `Interrupted`.
    pub const fn in_hand(self) -> bool {
        matches!(self, Self::Building | Self::Gating | Self::Pushing)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// What happened to a merge request. Commits are full hexadecimal ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The policy took it into a batch.
    Taken,
    /// It is part of `commit`, a stack of merges on the target. Once more when another cut of the stack is tested.
    Built {
        /// The commit whose tree the gates are to see.
        commit: String,
    },
    /// It does not merge cleanly.
    Conflicted,
    /// The target contains its source commit already.
    AlreadyThere,
    /// Merging it would leave the target as it is, and the target does not contain it.
    NothingToLand,
    /// Every gate passed on `commit`.
    Passed {
        /// The commit that was checked out while the gates ran.
        commit: String,
    },
    /// A gate failed, and it is the one to blame.
    GateFailed,
    /// It goes back to wait: the gate could not run, another was to blame, or the push was rejected.
    PutBack,
    /// It passed, and the rig's owner wants to see each change first.
    HeldForReview,
    /// A person let it land.
    Accepted,
    /// A person or policy sent it back.
    Rejected,
    /// The target now has `commit`.
    Landed {
        /// The commit that was pushed.
        commit: String,
    },
    /// Whoever worked on it is gone.
    Interrupted,
}

/// A state and the commit that passed the gates on the way there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Where it stands.
    pub state: State,
    /// The merge that is being tested or was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<String>,
    /// `commit` passed every gate.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub passed: bool,
}

impl Progress {
    /// In `state`, with nothing built.
    pub const fn at(state: State) -> Self {
        Self { state, commit: None, passed: false }
    }
}

/// An event that makes no sense in a state: a defect of the caller, nothing is changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a merge request that is {from} cannot take {event:?}")]
pub struct Illegal {
    /// The state it was in.
    pub from: State,
    /// What was to happen.
    pub event: Event,
}

/// The next state, or why there is none.
pub fn transition(now: &Progress, event: Event) -> Result<Progress, Illegal> {
    use Event as E;
    use State as S;
    let to = |state| Ok(Progress::at(state));
    match (now.state, &event) {
        (S::Queued, E::Taken) => to(S::Building),
        (S::Building | S::Gating, E::Built { commit }) => {
            Ok(Progress { state: S::Gating, commit: Some(commit.clone()), passed: false })
        }
        (S::Building, E::Conflicted) => to(S::Conflict),
        (S::Building, E::AlreadyThere) => to(S::Merged),
        (S::Gating, E::Passed { commit }) if now.commit.as_ref() == Some(commit) => {
            Ok(Progress { state: S::Pushing, commit: Some(commit.clone()), passed: true })
        }
        (S::Gating, E::GateFailed) => to(S::Failed),
        (S::Pushing, E::HeldForReview) => Ok(Progress { state: S::Held, ..now.clone() }),
        (S::Pushing, E::Landed { commit }) if now.passed && now.commit.as_ref() == Some(commit) => {
            Ok(Progress { state: S::Merged, ..now.clone() })
        }
        (S::Building | S::Gating | S::Pushing, E::PutBack | E::Interrupted) | (S::Held, E::Accepted) => to(S::Queued),
        (S::Queued | S::Held, E::Rejected) | (S::Building, E::NothingToLand) => to(S::Rejected),
        (S::Queued | S::Held, E::Interrupted) => Ok(now.clone()),
        _ => Err(Illegal { from: now.state, event }),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn events() -> impl Strategy<Value = Event> {
        let commit = || prop_oneof![Just("a".to_owned()), Just("b".to_owned())];
        prop_oneof![
            Just(Event::Taken),
            commit().prop_map(|commit| Event::Built { commit }),
            Just(Event::Conflicted),
            Just(Event::AlreadyThere),
            Just(Event::NothingToLand),
            commit().prop_map(|commit| Event::Passed { commit }),
            Just(Event::GateFailed),
            Just(Event::PutBack),
            Just(Event::HeldForReview),
            Just(Event::Accepted),
            Just(Event::Rejected),
            commit().prop_map(|commit| Event::Landed { commit }),
            Just(Event::Interrupted),
        ]
    }

    proptest! {
        #[test]
        fn merged_is_reached_once_and_only_with_a_pass_on_what_landed(seq in prop::collection::vec(events(), 0..60)) {
            let mut at = Progress::at(State::Queued);
            let (mut built, mut passed, mut merged) = (None, None, 0);
            for event in seq {
                let Ok(next) = transition(&at, event.clone()) else { continue };
                prop_assert!(!at.state.is_final(), "{:?} moved by {event:?}", at.state);
                match &event {
                    Event::Taken => (built, passed) = (None, None),
                    Event::Built { commit } => (built, passed) = (Some(commit.clone()), None),
                    Event::Passed { commit } => passed = Some(commit.clone()),
                    _ => {}
                }
                if next.state == State::Merged {
                    merged += 1;
                    match event {
                        Event::Landed { commit } => {
                            prop_assert_eq!(built.as_ref(), Some(&commit));
                            prop_assert_eq!(passed.as_ref(), Some(&commit));
                        }
                        other => prop_assert_eq!(other, Event::AlreadyThere),
                    }
                }
                at = next;
            }
            prop_assert!(merged <= 1);
        }

        #[test]
        fn a_crash_at_any_point_leads_back_to_the_queue_or_stays_final(seq in prop::collection::vec(events(), 0..60)) {
            let mut at = Progress::at(State::Queued);
            for event in seq {
                if let Ok(next) = transition(&at, event) {
                    at = next;
                }
                match transition(&at, Event::Interrupted) {
                    Ok(back) => {
                        prop_assert!(matches!(back.state, State::Queued | State::Held));
                        prop_assert!(back.state == State::Held || back.commit.is_none());
                    }
                    Err(_) => prop_assert!(at.state.is_final()),
                }
            }
        }
    }

    #[test]
    fn a_pass_on_another_commit_is_not_a_pass() {
        let gating = Progress { state: State::Gating, commit: Some("a".into()), passed: false };
        assert!(transition(&gating, Event::Passed { commit: "b".into() }).is_err());
        let pushing = transition(&gating, Event::Passed { commit: "a".into() }).expect("legal");
        assert!(transition(&pushing, Event::Landed { commit: "b".into() }).is_err());
        assert_eq!(transition(&pushing, Event::Landed { commit: "a".into() }).expect("legal").state, State::Merged);
    }

    #[test]
    fn words_read_back() {
        for state in State::ALL {
            assert_eq!(State::from_word(state.word()), Some(state));
        }
    }
}
