//! Requests on their way to a system and back.

use std::time::Duration;

use axum::{body::Body, http};
use http_body_util::BodyExt as _;
use syncline::{
    sandbox::fault::Order,
    seam::{Answer, Request, Unanswered},
};

use super::{
    CONCURRENCY, CRM, ERP, Late, Sim,
    weather::{Fate, Garbled},
};

impl Sim {
    /// Spoils a listing, where that was asked for; a search is none.
    fn spoil(&self, request: &Request) {
        let is_listing = request.method == "GET" && request.url.contains("limit=");
        let is_erp = request.url.starts_with(ERP);
        let fault = self
            .state()
            .spoiled
            .take_if(|(of_erp, _)| is_listing && *of_erp == is_erp);
        let Some((_, fault)) = fault else { return };
        let faults = if is_erp {
            self.erp().faults()
        } else {
            self.crm().faults()
        };
        faults.order(Order::next(1, fault)).unwrap();
    }

    /// Lets a system carry out a request; none where it drops the connection.
    pub(super) async fn perform(&self, request: &Request) -> Option<Answer> {
        // The systems' clock is set.
        let _now = self.time();
        self.spoil(request);
        let mut asked = http::Request::builder().method(request.method).uri(&request.url);
        for (name, value) in &request.headers {
            asked = asked.header(name, value.as_slice());
        }
        let asked = asked.body(Body::from(request.body.clone())).unwrap();
        let answered = if request.url.starts_with(ERP) {
            self.0.erp.ask(asked).await
        } else {
            self.0.crm.ask(asked).await
        };
        self.0.news.notify_one();
        let (parts, body) = answered?.into_parts();
        let body = body.collect().await.ok()?.to_bytes().to_vec();
        let headers = parts.headers.iter();
        Some(Answer {
            status: parts.status.as_u16(),
            headers: headers
                .map(|(name, value)| (name.to_string(), value.as_bytes().to_vec()))
                .collect(),
            body,
        })
    }

    pub(super) async fn travel(self, request: Request) -> Result<Answer, Unanswered> {
        let name = if request.url.starts_with(ERP) { "erp" } else { "crm" };
        let body = String::from_utf8_lossy(&request.body).into_owned();
        let path = request.url.replace(ERP, "erp").replace(CRM, "crm");
        let line = format!("{} {path} {body}", request.method);
        self.alive(&line).await;
        let mut underway = self.departs(name, &request);
        let fate = {
            let mut state = self.state();
            let weather = state.weather;
            Fate::draw(weather, &mut state.chance, &request)
        };
        let latency = 1 + self.below(40);
        tokio::time::sleep(Duration::from_millis(latency)).await;
        let mut outcome = self.carry(fate, &request).await;
        let is_told = outcome.as_mut().is_ok_and(|answer| self.garble(&request, answer));
        let told = match &outcome {
            Ok(answer) => format!(
                "{} {} {}",
                answer.status,
                path,
                String::from_utf8_lossy(&answer.body[..answer.body.len().min(400)])
            ),
            Err(why) => format!("{why:?} {path}"),
        };
        let told = if path.ends_with("/oauth/token") { path } else { told };
        self.alive(&told).await;
        let latency = 1 + self.below(20);
        tokio::time::sleep(Duration::from_millis(latency)).await;
        self.heard(name, &outcome);
        if self.state().is_over {
            std::future::pending::<()>().await;
        }
        let is_answered = is_told && outcome.as_ref().is_ok_and(|answer| answer.status < 500);
        underway.is_answered = is_answered;
        if request.method == "GET" {
            self.looked(&record_of(&request.url), is_answered);
        }
        outcome
    }

    /// Garbles an answer at times; whether it still tells what was asked for.
    fn garble(&self, request: &Request, answer: &mut Answer) -> bool {
        let garbled = {
            let mut state = self.state();
            let weather = state.weather;
            let is_exempt = answer.status >= 300 || answer.body.is_empty() || request.url.ends_with("/oauth/token");
            let chance = state.garbling.as_mut().filter(|_| !is_exempt);
            chance.and_then(|chance| Garbled::draw(weather, chance))
        };
        let is_read = request.method == "GET";
        let other = match garbled {
            None => return true,
            Some(Garbled::Cut) => None,
            Some(Garbled::Foreign) => self.other_record(request),
        };
        let Some(other) = other else {
            answer.body.truncate(answer.body.len() / 2);
            return false;
        };
        answer.body = other.into_bytes();
        // A write was carried out, whatever its answer shows.
        !is_read
    }

    /// Another record of the same object as the one that a request is about; none where it is about no single one, or there is
    /// no other.
    fn other_record(&self, request: &Request) -> Option<String> {
        let id = record_of(&request.url);
        let all = if request.url.starts_with(&format!("{ERP}/api/customers/")) {
            self.erp().all("customer")
        } else if request.url.starts_with(&format!("{CRM}/api/v2/accounts/")) {
            self.crm().all("account")
        } else {
            return None;
        };
        let mut others = all.ok()?.into_iter().filter(|other| other.id != id);
        let is_single = matches!(request.method, "GET" | "PATCH") && id != "batch";
        others.next().filter(|_| is_single).map(|other| other.json.to_string())
    }

    /// The first look after an update without an answer says what became of it, or nothing does.
    fn looked(&self, id: &str, is_answered: bool) {
        let mut state = self.state();
        match state.doubted.get_mut(id) {
            Some(false) if is_answered => drop(state.doubted.remove(id)),
            Some(is_lasting) => *is_lasting = true,
            None => {}
        }
    }

    async fn carry(&self, fate: Fate, request: &Request) -> Result<Answer, Unanswered> {
        match fate {
            Fate::Good => self.perform(request).await.ok_or(Unanswered::Broken),
            Fate::Refused => Err(Unanswered::NotSent),
            Fate::Lost => Err(Unanswered::Broken),
            Fate::Unanswered => {
                let _nobody_hears = self.perform(request).await;
                Err(Unanswered::Broken)
            }
            Fate::Late => {
                let after = 32_000 + i64::try_from(self.below(20_000)).unwrap();
                let at = self.now() + after;
                self.state().doubted.insert(record_of(&request.url), true);
                self.state().late.push(Late {
                    at,
                    request: request.clone(),
                });
                // The caller gives up before.
                tokio::time::sleep(Duration::from_mins(10)).await;
                Err(Unanswered::Broken)
            }
            Fate::Throttled => {
                let seconds = 1 + self.below(20);
                Ok(plain(429, &[("retry-after", &seconds.to_string())]))
            }
            Fate::Failing => Ok(plain(503, &[])),
            Fate::Confused => {
                let _nobody_hears = self.perform(request).await;
                Ok(plain(500, &[]))
            }
        }
    }

    /// Counts a request that leaves, and checks what has to hold of all that are under way.
    fn departs(&self, name: &'static str, request: &Request) -> Underway {
        let now = self.now();
        let mut found = Vec::new();
        let is_write = matches!(request.method, "PATCH" | "DELETE");
        {
            let mut state = self.state();
            let asking = state.asking.entry(name).or_default();
            *asking += 1;
            if *asking > CONCURRENCY {
                found.push(format!(
                    "{asking} requests at once to {name}, which allows {CONCURRENCY}"
                ));
            }
            if is_write {
                let writing = state.writing.entry(request.url.clone()).or_default();
                *writing += 1;
                if *writing > 1 {
                    found.push(format!("{writing} writes at once to {}", request.url));
                }
            }
            let (heard, until) = state.resting.get(name).copied().unwrap_or_default();
            // What leaves in the very moment of the answer may have been ahead of it.
            if now > heard && now < until {
                found.push(format!("{name} was asked {} ms before it wanted to be", until - now));
            }
        }
        for what in found {
            self.accuse(what);
        }
        Underway {
            sim: self.clone(),
            name,
            written: match request.method {
                "PATCH" | "DELETE" => vec![record_of(&request.url)],
                "POST" => companies_of(&request.body),
                _ => Vec::new(),
            },
            write: is_write.then(|| request.url.clone()),
            is_answered: false,
        }
    }

    /// From now on the caller knows when a system wants to be asked again.
    fn heard(&self, name: &'static str, outcome: &Result<Answer, Unanswered>) {
        let Ok(answer) = outcome else { return };
        let wait = answer.headers.iter().find(|(name, _)| name == "retry-after");
        let wait = wait.and_then(|(_, value)| std::str::from_utf8(value).ok()?.parse::<i64>().ok());
        if let Some(seconds) = wait.filter(|_| answer.status == 429) {
            let now = self.now();
            let until = now + seconds * 1000;
            let mut state = self.state();
            let known = state.resting.entry(name).or_default();
            if until > known.1 {
                *known = (now, until);
            }
        }
    }
}

/// A request that its caller waits for.
struct Underway {
    sim: Sim,
    name: &'static str,
    write: Option<String>,
    /// The records that are written, or the companies that records are made of.
    written: Vec<String>,
    is_answered: bool,
}

impl Drop for Underway {
    fn drop(&mut self) {
        let mut state = self.sim.state();
        if !self.is_answered {
            // The first look at a record says what became of an update; a record that was made is looked for by others.
            let is_lasting = state.is_over || self.write.is_none();
            for what in std::mem::take(&mut self.written) {
                *state.doubted.entry(what).or_default() |= is_lasting;
            }
        }
        if let Some(asking) = state.asking.get_mut(self.name) {
            *asking = asking.saturating_sub(1);
        }
        if let Some(writing) = self.write.as_ref().and_then(|url| state.writing.get_mut(url)) {
            *writing = writing.saturating_sub(1);
        }
    }
}

/// The tax ids in a body.
fn companies_of(body: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(body);
    let parts = text
        .split('"')
        .filter(|part| part.starts_with("DE0") || part.starts_with('?'));
    parts.map(str::to_owned).collect()
}

/// The last part of an address: the id of a record, where it names one.
fn record_of(url: &str) -> String {
    url.rsplit('/').next().unwrap_or_default().to_owned()
}

fn plain(status: u16, headers: &[(&str, &str)]) -> Answer {
    let header = |(name, value): &(&str, &str)| ((*name).to_owned(), value.as_bytes().to_vec());
    Answer {
        status,
        headers: headers.iter().map(header).collect(),
        body: b"{}".to_vec(),
    }
}
