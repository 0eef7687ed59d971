//! A platform that rotates strictly: a refresh token is good for one request, and a second one is the end of its family.

use std::sync::Arc;

use async_trait::async_trait;
use connector_core::http::{Cause, HttpTransport, Reach, Request, TransportError};
use http::Response;
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::time::timeout;
use url::form_urlencoded;

use crate::ledger::{Death, Send, Verdict};
use crate::plan::{Phase, SECOND};
use crate::world::{Life, State, World, sleep};

/// Begins every token, so that one is found wherever it is.
pub(crate) const MARK: &str = "sim-secret-";

pub(crate) fn refresh_token(account: usize, number: u32) -> String {
    format!("{MARK}r{account}-{number}")
}

pub(crate) fn access_token(account: usize, number: u32) -> String {
    format!("{MARK}a{account}-{number}")
}

/// The kind of a token, its account and its number.
pub(crate) fn parse_token(text: &str) -> Option<(char, usize, u32)> {
    let rest = text.strip_prefix(MARK)?;
    let (account, number) = rest.get(1..)?.split_once('-')?;
    Some((rest.chars().next()?, account.parse().ok()?, number.parse().ok()?))
}

/// What becomes of a request and of its answer. Times in milliseconds.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Answered {
        think: i64,
        back: i64,
    },
    AnswerLost {
        think: i64,
        after: i64,
    },
    RequestLost {
        after: i64,
    },
    /// A failure of the platform, before or after it did what it was asked for.
    Failed {
        think: i64,
        done: bool,
    },
    Garbage {
        think: i64,
    },
    Strange {
        think: i64,
    },
    AskedToWait {
        seconds: Option<i64>,
    },
    AppRefused,
    RequestRefused,
    NotSent,
}

impl Fate {
    /// How long the platform takes before it does anything.
    fn think(self) -> i64 {
        match self {
            Self::Answered { think, .. }
            | Self::AnswerLost { think, .. }
            | Self::Failed { think, .. }
            | Self::Garbage { think }
            | Self::Strange { think } => think,
            _ => 0,
        }
    }
}

type Answer = Response<Vec<u8>>;

/// The network of one life of a node.
pub(crate) struct Wire {
    pub world: Arc<World>,
    pub life: Life,
}

#[async_trait]
impl HttpTransport for Wire {
    async fn send(&self, request: Request) -> Result<Answer, TransportError> {
        let world = &self.world;
        world.gate(self.life).await;
        world.step(self.life).await;
        let token = form_urlencoded::parse(&request.body)
            .find_map(|(_, value)| parse_token(&value))
            .expect("every request has a token");
        let fate = if request.url.path() == "/token" { world.token_fate() } else { world.revocation_fate() };
        let revokes = request.url.path() != "/token";
        world.note(|| format!("node {} sends {token:?} to {}: {fate:?}", self.life.node, request.url.path()));
        if matches!(fate, Fate::NotSent) {
            return Err(failed(Reach::NotSent, Cause::Exchange));
        }
        let sent = (!revokes).then(|| world.note_send(self.life, token.1, token.2));
        let (reply, answer) = oneshot::channel();
        let platform = Arc::clone(world);
        tokio::spawn(async move {
            if let Some(answer) = platform.serve(token, sent, fate).await {
                // Nobody may wait any more.
                let _ = reply.send(answer);
            }
        });
        let answer = timeout(request.policy.deadline, answer).await;
        world.gate(self.life).await;
        let answer = match answer {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) => Err(failed(Reach::MaybeSent, Cause::Exchange)),
            Err(_) => Err(failed(Reach::MaybeSent, Cause::Deadline)),
        };
        if let (Ok(_), Some(sent)) = (&answer, sent) {
            let now = world.now();
            world.lock().ledger.sends[sent].delivered = Some(now);
        }
        world.note(|| format!("node {} has {:?} for {token:?}", self.life.node, answer.as_ref().map(Response::status)));
        world.step(self.life).await;
        answer
    }
}

fn failed(reach: Reach, cause: Cause) -> TransportError {
    TransportError::new(reach, cause, "the network failed")
}

fn answer(status: u16, body: &Value) -> Answer {
    Response::builder().status(status).body(body.to_string().into_bytes()).unwrap()
}

impl World {
    fn note_send(&self, life: Life, account: usize, token: u32) -> usize {
        let at = self.now();
        let mut state = self.lock();
        let grant = self.memory.peek(&state.grants[account]);
        let send = Send {
            account,
            token,
            at,
            node: life.node,
            incarnation: life.incarnation,
            while_down: state.began_while_down[account],
            after_end: grant.is_none_or(|grant| grant.state.is_over()),
            over_at: None,
            verdict: None,
            plain: true,
            delivered: None,
        };
        state.ledger.sends.push(send);
        state.ledger.sends.len() - 1
    }

    /// The platform's side, which no death of a node stops. Without an answer the connection breaks.
    async fn serve(&self, token: (char, usize, u32), sent: Option<usize>, fate: Fate) -> Option<Answer> {
        let shows = !matches!(fate, Fate::Failed { .. } | Fate::Garbage { .. } | Fate::Strange { .. });
        if let Some(sent) = sent {
            self.lock().ledger.sends[sent].plain = shows;
        }
        let process = || match sent {
            Some(sent) => self.refresh(token.1, token.2, sent),
            None => self.revoke(token),
        };
        let refused = |status, error| {
            self.over(sent, Verdict::NotProcessed);
            answer(status, &json!({ "error": error }))
        };
        sleep(fate.think()).await;
        match fate {
            Fate::Answered { back, .. } => {
                let answer = process();
                sleep(back).await;
                return Some(answer);
            }
            Fate::AnswerLost { after, .. } => {
                process();
                sleep(after).await;
            }
            Fate::RequestLost { after } => {
                self.over(sent, Verdict::Unseen);
                sleep(after).await;
            }
            Fate::Failed { done, .. } => {
                if done {
                    process();
                } else {
                    self.over(sent, Verdict::Unseen);
                }
                return Some(answer(502, &json!({})));
            }
            Fate::Garbage { .. } => {
                process();
                return Some(Response::new(b"<html>".to_vec()));
            }
            Fate::Strange { .. } => {
                process();
                let strange = json!({ "data": { "refreshToken": refresh_token(token.1, token.2 + 1) } });
                return Some(answer(200, &strange));
            }
            Fate::AskedToWait { seconds } => {
                let mut wait = refused(429, "");
                wait.headers_mut().extend(seconds.map(|s| (http::header::RETRY_AFTER, s.to_string().parse().unwrap())));
                return Some(wait);
            }
            Fate::AppRefused => return Some(refused(401, "invalid_client")),
            Fate::RequestRefused => return Some(refused(400, "invalid_request")),
            Fate::NotSent => {}
        }
        None
    }

    fn over(&self, sent: Option<usize>, verdict: Verdict) {
        let now = self.now();
        if let Some(sent) = sent {
            let request = &mut self.lock().ledger.sends[sent];
            (request.over_at, request.verdict) = (Some(now), Some(verdict));
        }
    }

    /// A refresh, as the platform sees it.
    fn refresh(&self, account: usize, token: u32, sent: usize) -> Answer {
        let now = self.now();
        let verdict = {
            let known = &mut self.lock().ledger.accounts[account];
            match () {
                () if known.dead.is_some() => Verdict::Dead,
                () if token == known.current => {
                    known.current += 1;
                    known.access_ends.push(now + self.plan.life * SECOND);
                    Verdict::Rotated
                }
                () => {
                    known.dead = Some(Death::Reused);
                    Verdict::Alarm
                }
            }
        };
        self.over(Some(sent), verdict);
        self.note(|| format!("the platform processes refresh token {token} of account {account}: {verdict:?}"));
        if verdict != Verdict::Rotated {
            return answer(400, &json!({ "error": "invalid_grant" }));
        }
        let (access, refresh) = (access_token(account, token + 1), refresh_token(account, token + 1));
        let life = self.plan.life;
        let body = json!({ "access_token": access, "refresh_token": refresh, "expires_in": life,
                           "refresh_expires_in": 180 * 86_400, "scope": "read", "person": format!("p{account}") });
        answer(200, &body)
    }

    fn revoke(&self, (kind, account, number): (char, usize, u32)) -> Answer {
        let now = self.now();
        let family = &mut self.lock().ledger.accounts[account];
        let ends = family.access_ends.get(usize::try_from(number).unwrap() - 1).copied().unwrap_or_default();
        if family.dead.is_none() && kind == 'a' && ends <= now {
            return answer(400, &json!({ "error": "invalid_token" }));
        }
        family.dead = family.dead.or(Some(Death::Revoked));
        answer(200, &json!({}))
    }

    fn token_fate(&self) -> Fate {
        let phase = self.phase();
        let mut state = self.lock();
        let State { rng, well, .. } = &mut *state;
        let good = Fate::Answered { think: rng.i64(20..3 * SECOND), back: rng.i64(1..300) };
        match phase {
            _ if *well => good,
            Some(Phase::Down) if rng.bool() => Fate::Failed { think: rng.i64(1..SECOND), done: false },
            Some(Phase::Down) => Fate::RequestLost { after: rng.i64(1..90 * SECOND) },
            Some(Phase::RefusesApp) => Fate::AppRefused,
            Some(Phase::AsksToWait) => Fate::AskedToWait { seconds: [None, Some(5), Some(90)][rng.usize(0..3)] },
            None if rng.u32(0..100) >= self.plan.bad_weather => good,
            None => bad_fate(rng),
        }
    }

    fn revocation_fate(&self) -> Fate {
        let State { rng, well, .. } = &mut *self.lock();
        let think = rng.i64(20..3 * SECOND);
        match rng.u32(0..100) < self.plan.bad_weather {
            false => Fate::Answered { think, back: 5 },
            true if *well => Fate::Answered { think, back: 5 },
            true => match rng.u8(0..4) {
                0 => Fate::AnswerLost { think, after: 5 },
                1 => Fate::RequestLost { after: think },
                2 => Fate::Failed { think, done: rng.bool() },
                _ => Fate::NotSent,
            },
        }
    }
}

fn bad_fate(rng: &mut fastrand::Rng) -> Fate {
    let think = rng.i64(20..59 * SECOND);
    match rng.u8(0..20) {
        0..=3 => Fate::Answered { think, back: rng.i64(1..SECOND) },
        // The caller has gone by then, and the platform still does it.
        4..=5 => Fate::Answered { think: rng.i64(59 * SECOND..89 * SECOND), back: 1 },
        6..=8 => Fate::AnswerLost { think: rng.i64(20..5 * SECOND), after: rng.i64(0..90 * SECOND) },
        9..=11 => Fate::RequestLost { after: rng.i64(1..90 * SECOND) },
        12..=13 => Fate::Failed { think, done: true },
        14..=15 => Fate::Failed { think, done: false },
        16 => Fate::Garbage { think },
        17 => match rng.u8(0..3) {
            0 => Fate::Strange { think },
            _ => Fate::AskedToWait { seconds: Some(rng.i64(1..120)) },
        },
        18 => match rng.u8(0..3) {
            0 => Fate::RequestRefused,
            _ => Fate::AppRefused,
        },
        _ => Fate::NotSent,
    }
}
