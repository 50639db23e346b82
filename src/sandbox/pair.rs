//! Both systems over related records: what the demo and most tests start from.

use std::io;

use super::seed::{Overlap, Plan};
use super::{crm, erp};

/// How the two are to be. The plan here replaces the plans in the options of each.
#[derive(Clone, Debug)]
pub struct Options {
    /// The records both start with.
    pub plan: Plan,
    /// The ERP.
    pub erp: erp::Options,
    /// The CRM.
    pub crm: crm::Options,
}

impl Default for Options {
    /// Two hundred companies, most of them known to both.
    fn default() -> Self {
        let plan = Plan {
            companies: 200,
            overlap: 0.8,
            crm_only: 10,
            contacts: 1,
            products: 20,
            deals: 1,
            ..Plan::default()
        };
        Self {
            plan,
            erp: erp::Options::default(),
            crm: crm::Options::default(),
        }
    }
}

/// Both systems, running.
#[derive(Debug)]
pub struct Handle {
    /// The ERP.
    pub erp: erp::Handle,
    /// The CRM.
    pub crm: crm::Handle,
    /// What the two had in common at the start.
    pub overlap: Overlap,
}

/// Starts both.
pub async fn start(options: Options) -> io::Result<Handle> {
    let overlap = options.plan.count();
    let erp_options = erp::Options {
        plan: options.plan.clone(),
        ..options.erp
    };
    let crm_options = crm::Options {
        plan: options.plan,
        ..options.crm
    };
    let erp = erp::start(erp_options).await?;
    let crm = crm::start(crm_options).await?;
    Ok(Handle { erp, crm, overlap })
}

impl Handle {
    /// Waits until every webhook of both was taken, lost or given up.
    pub async fn webhooks_settled(&self) {
        self.erp.webhooks_settled().await;
        self.crm.webhooks_settled().await;
    }

    /// Stops both.
    pub async fn stop(self) {
        self.erp.stop().await;
        self.crm.stop().await;
    }
}
