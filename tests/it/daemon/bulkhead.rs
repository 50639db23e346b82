//! One pair of systems in trouble, and another that must not notice.

use std::{
    fmt::Write as _,
    fs,
    time::{Duration, Instant},
};

use secrecy::ExposeSecret as _;
use syncline::sandbox::{
    Edit, erp,
    fault::{Fault, Order},
    pair,
    seed::Plan,
};

use super::site::{Running, Site, customer, until};
use crate::support::rig::report;

/// More changes than the daemon works on at once.
const STUCK: u32 = 200;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_system_that_hangs_does_not_stop_the_work_on_others() {
    let far = pair::start(pair::Options {
        plan: Plan {
            companies: 0,
            ..Plan::default()
        },
        ..pair::Options::default()
    })
    .await
    .unwrap();
    let site = Site::with(&settings(&far)).await;
    for connector in ["connectors/sandbox-erp.yaml", "connectors/sandbox-crm.yaml"] {
        let text = fs::read_to_string(site.path(connector)).unwrap();
        // Longer than this test waits: what hangs does not come free by itself.
        let patient = "timeout: 600s, idle_timeout: 600s";
        fs::write(site.path(connector), text.replacen("timeout: 30s", patient, 1)).unwrap();
    }
    let near = fs::read_to_string(site.path("mappings/customer-account.yaml")).unwrap();
    let mapping = near
        .replace("customer-account", "far")
        .replace("erp", "far_erp")
        .replace("crm", "far_crm");
    fs::write(site.path("mappings/far.yaml"), mapping).unwrap();
    let daemon = site.start();
    site.subscribe(&daemon);
    let hook = format!("http://{}/webhooks/far_erp", daemon.address);
    far.erp.subscribe(&hook, &"sandbox-erp-webhook-secret".into()).unwrap();
    let hang = Order::share(1.0, Fault::SlowStart { ms: 600_000 });
    far.erp.faults().order(hang.clone()).unwrap();
    far.crm.faults().order(hang).unwrap();
    for number in 0..STUCK {
        far.erp
            .create("customer", &customer(1_000 + number), &Edit::by("user:ana"))
            .unwrap();
    }
    let stuck = async || site.number("select count(*) from change where mapping = 'far'").await;
    until("the hanging system has everything it can have", async || {
        stuck().await.filter(|count| *count == i64::from(STUCK))?;
        let held = site.number("select count(*) from lock where mapping = 'far'").await;
        held.filter(|count| *count > 0)
    })
    .await;
    for number in 0..20 {
        site.systems
            .erp
            .create("customer", &customer(number), &Edit::by("user:ana"))
            .unwrap();
    }
    site.accounts_made(20).await;
    assert_eq!(far.crm.history().creates_of("account").len(), 0);
    assert_eq!(
        stuck().await,
        Some(i64::from(STUCK)),
        "nothing of it has come free meanwhile"
    );
}

/// Systems beside the one in trouble, each with a mapping of its own.
const OTHERS: u32 = 49;
/// New records of each of them, in each part of the test.
const EACH: u32 = 3;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_fifty_systems_forty_nine_go_on_while_one_hangs() {
    let street = Street::build().await;
    // Longer than this test waits: what hangs does not come free by itself.
    let hang = Order::share(1.0, Fault::SlowStart { ms: 600_000 });
    street.trouble(hang, STUCK);
    until("the hanging system has everything it can have", async || {
        (street.stuck().await == STUCK && street.is_held().await).then_some(())
    })
    .await;
    street.goes_on("hangs").await;
    assert_eq!(street.stuck().await, STUCK, "nothing of it has come free meanwhile");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_fifty_systems_forty_nine_go_on_while_one_answers_ten_mebibytes_to_everything() {
    let street = Street::build().await;
    let enormous = Order::share(1.0, Fault::EnormousBody { bytes: 10 << 20 });
    street.trouble(enormous, 40);
    until("the first large answer is asked for", async || {
        let requests = street.site.systems.erp.history().requests();
        let is_large = |fault| fault == Some("enormous_body");
        requests.iter().any(|request| is_large(request.fault)).then_some(())
    })
    .await;
    street.goes_on("answers 10 MiB").await;
}

/// A daemon between one CRM and fifty ERPs; that of the site is the one that will be in trouble.
struct Street {
    site: Site,
    others: Vec<erp::Handle>,
    daemon: Running,
    /// How long the records of all the others took while all was well.
    well: Duration,
}

impl Street {
    /// Starts them all, and lets all but the one make records while all is well.
    async fn build() -> Self {
        let plan = Plan {
            companies: 0,
            ..Plan::default()
        };
        let (mut others, mut more) = (Vec::new(), String::new());
        for number in 0..OTHERS {
            let options = erp::Options {
                plan: plan.clone(),
                ..erp::Options::default()
            };
            let other = erp::start(options).await.unwrap();
            write!(
                more,
                r#"
                [systems.erp{number}]
                connector = "sandbox-erp"
                settings = {{ base_url = "{}" }}
                credentials = {{ api_key = "{}" }}
                webhook_secrets = ["sandbox-erp-webhook-secret"]
                allow_networks = ["127.0.0.0/8"]
                "#,
                other.base_url(),
                other.api_key().expose_secret(),
            )
            .unwrap();
            others.push(other);
        }
        let site = Site::with(&more).await;
        let connector = site.path("connectors/sandbox-erp.yaml");
        let text = fs::read_to_string(&connector).unwrap();
        let patient = "timeout: 600s, idle_timeout: 600s";
        fs::write(connector, text.replacen("timeout: 30s", patient, 1)).unwrap();
        let near = fs::read_to_string(site.path("mappings/customer-account.yaml")).unwrap();
        for number in 0..OTHERS {
            let mapping = near
                .replace("customer-account", &format!("other-{number}"))
                .replace("erp", &format!("erp{number}"));
            fs::write(site.path(&format!("mappings/other-{number}.yaml")), mapping).unwrap();
        }
        let daemon = site.start();
        let secret = "sandbox-erp-webhook-secret".into();
        let hook = |name: &str| format!("http://{}/webhooks/{name}", daemon.address);
        site.systems.erp.subscribe(&hook("erp"), &secret).unwrap();
        for (number, other) in others.iter().enumerate() {
            other.subscribe(&hook(&format!("erp{number}")), &secret).unwrap();
        }
        let mut street = Self {
            site,
            others,
            daemon,
            well: Duration::ZERO,
        };
        let before = Instant::now();
        street.edit(0).await;
        street.well = before.elapsed();
        street
    }

    /// Orders `trouble` for the first system, and makes records there that run into it.
    fn trouble(&self, trouble: Order, records: u32) {
        let erp = &self.site.systems.erp;
        erp.faults().order(trouble).unwrap();
        for number in 0..records {
            let json = customer(100_000 + number);
            erp.create("customer", &json, &Edit::by("user:ana")).unwrap();
        }
    }

    /// Lets all the others make records beside the one in trouble.
    async fn goes_on(&self, what: &str) {
        let before = Instant::now();
        self.edit(1).await;
        let beside = before.elapsed();
        let log = self.daemon.log();
        assert!(!log.contains("panicked"), "{log}");
        report(&format!(
            "{} records of {OTHERS} systems: {:.1?} while all was well, {beside:.1?} beside one that {what}",
            OTHERS * EACH,
            self.well
        ));
        assert_eq!(
            self.made(),
            usize::try_from(2 * OTHERS * EACH).unwrap(),
            "and nothing of the one in trouble"
        );
    }

    /// Makes records at all the others, and waits until the CRM has them.
    async fn edit(&self, part: u32) {
        for each in 0..EACH {
            for (number, other) in (0..).zip(&self.others) {
                let json = customer(1_000 + (part * EACH + each) * OTHERS + number);
                other.create("customer", &json, &Edit::by("user:ana")).unwrap();
            }
        }
        let expected = usize::try_from((part + 1) * OTHERS * EACH).unwrap();
        until("the CRM has the records of all the others", async || {
            (self.made() >= expected).then_some(())
        })
        .await;
    }

    fn made(&self) -> usize {
        self.site.systems.crm.history().creates_of("account").len()
    }

    /// Whether a change of the one in trouble is being worked on.
    async fn is_held(&self) -> bool {
        let sql = "select count(*) from lock where mapping = 'customer-account'";
        self.site.number(sql).await.is_some_and(|count| count > 0)
    }

    /// Changes of the one in trouble that wait.
    async fn stuck(&self) -> u32 {
        let sql = "select count(*) from change where mapping = 'customer-account'";
        self.site
            .number(sql)
            .await
            .and_then(|count| count.try_into().ok())
            .unwrap_or(0)
    }
}

/// The second pair of systems, as settings.
fn settings(far: &pair::Handle) -> String {
    format!(
        r#"
        [systems.far_erp]
        connector = "sandbox-erp"
        settings = {{ base_url = "{}" }}
        credentials = {{ api_key = "{}" }}
        webhook_secrets = ["sandbox-erp-webhook-secret"]
        allow_networks = ["127.0.0.0/8"]
        [systems.far_crm]
        connector = "sandbox-crm"
        settings = {{ base_url = "{}" }}
        credentials = {{ client_id = "{}", client_secret = "{}" }}
        allow_networks = ["127.0.0.0/8"]
        "#,
        far.erp.base_url(),
        far.erp.api_key().expose_secret(),
        far.crm.base_url(),
        far.crm.client_id(),
        far.crm.client_secret().expose_secret(),
    )
}
