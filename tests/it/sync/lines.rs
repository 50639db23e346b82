//! Orders with their lines, between two systems that keep these otherwise, by the whole program.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use serde_json::{Value as Json, json};

use crate::{
    cli::Place,
    support::loopback::{Loopback, Reply, Seen},
};

const MAPPING: &str = r"
mapping: order
owner: sales-ops@example.com
between: { erp: order, shop: order }
match: [ { erp: number, shop: Number } ]
fields:
  - { erp: number, shop: Number }
  - erp: items
    shop: Order.Lines
    by: { erp: item_code, shop: Product.Code }
    fields:
      - { erp: item_code, shop: Product.Code }
      - { erp: qty, shop: Quantity, type: decimal(3) }
      - { erp: uom, shop: Unit, values: { Nos: piece, Kg: kilogram } }
      - { erp: warehouse, shop: Depot, create_only: yes }
prefer: erp
create: { erp: yes, shop: yes }
reconcile: { limits: { change: 100% } }
";

/// The orders of one system. It gives every line an id, keeps what it is sent of a line, and forgets lines that a write leaves out.
struct Books {
    server: Loopback,
    orders: Arc<Mutex<BTreeMap<String, Json>>>,
    /// Where the lines stand in an order, and the member that is a line's id.
    lines: (&'static str, &'static str),
}

impl Books {
    async fn start(lines: &'static str, line_id: &'static str) -> Self {
        let orders: Arc<Mutex<BTreeMap<String, Json>>> = Arc::default();
        let kept = Arc::clone(&orders);
        let server = Loopback::start(move |seen| answer(&mut kept.lock().unwrap(), seen, (lines, line_id))).await;
        Self {
            server,
            orders,
            lines: (lines, line_id),
        }
    }

    fn connector(&self, name: &str) -> String {
        let list = self.lines.0.trim_start_matches('/').replace('/', ".");
        format!(
            r#"
connector: {name}
title: Orders
settings: {{ base_url: {{ type: url, title: Where it answers }} }}
base_url: "{{{{ settings.base_url }}}}"
objects:
  order:
    id: id
    fields:
      id: {{ type: text, access: read_only }}
      {list}: list
    list: {{ get: /orders, records: data }}
    get: {{ get: "/orders/{{{{ id }}}}" }}
    create: {{ post: /orders, body: "{{{{ record }}}}" }}
    update: {{ patch: "/orders/{{{{ id }}}}", body: "{{{{ changes }}}}" }}
"#
        )
    }

    fn put(&self, id: &str, order: Json) {
        let mut order = order;
        order["id"] = json!(id);
        numbered(&mut order, self.lines);
        self.orders.lock().unwrap().insert(id.to_owned(), order);
    }

    fn lines_of(&self, number: &str) -> Json {
        let orders = self.orders.lock().unwrap();
        let is_it = |order: &&Json| order["number"] == number || order["Number"] == number;
        let order = orders
            .values()
            .find(is_it)
            .unwrap_or_else(|| panic!("no order {number}"));
        order.pointer(self.lines.0).cloned().unwrap_or_default()
    }

    /// Edits the lines of an order as a person there would.
    fn edit(&self, number: &str, edit: impl FnOnce(&mut Vec<Json>)) {
        let mut orders = self.orders.lock().unwrap();
        let is_it = |order: &&mut Json| order["number"] == number || order["Number"] == number;
        let order = orders.values_mut().find(is_it).unwrap();
        edit(order.pointer_mut(self.lines.0).unwrap().as_array_mut().unwrap());
        numbered(order, self.lines);
    }

    fn writes(&self) -> usize {
        self.server.seen().iter().filter(|seen| seen.method != "GET").count()
    }
}

/// Gives lines that have no id yet the next one.
fn numbered(order: &mut Json, (lines, line_id): (&str, &str)) {
    let Some(lines) = order.pointer_mut(lines).and_then(Json::as_array_mut) else {
        return;
    };
    let ids = lines.iter().filter_map(|line| line[line_id].as_i64());
    let mut next = ids.max().unwrap_or(100);
    for line in lines {
        if line[line_id].is_null() {
            next += 1;
            line[line_id] = json!(next);
        }
    }
}

fn answer(orders: &mut BTreeMap<String, Json>, seen: &Seen, lines: (&str, &str)) -> Reply {
    let id = seen.path().strip_prefix("/orders/").map(str::to_owned);
    let (id, mut order) = match (seen.method.as_str(), id) {
        ("GET", None) => return Reply::json(200, &json!({ "data": orders.values().collect::<Vec<_>>() })),
        ("POST", None) => {
            let id = format!("n{}", orders.len() + 1);
            let mut order = seen.json();
            order["id"] = json!(id);
            (id, order)
        }
        (method, Some(id)) => {
            let Some(order) = orders.get(&id) else {
                return Reply::status(404);
            };
            if method == "GET" {
                return Reply::json(200, order);
            }
            let mut order = order.clone();
            laid(&mut order, seen.json());
            (id, order)
        }
        (method, None) => panic!("{method} {}", seen.path()),
    };
    numbered(&mut order, lines);
    orders.insert(id, order.clone());
    Reply::json(200, &order)
}

/// Maps are laid over each other, lists replace each other.
fn laid(order: &mut Json, changes: Json) {
    match (order, changes) {
        (Json::Object(order), Json::Object(changes)) => {
            for (name, change) in changes {
                laid(order.entry(name).or_insert(Json::Null), change);
            }
        }
        (order, changes) => *order = changes,
    }
}

struct Site {
    place: Place,
    erp: Books,
    shop: Books,
}

impl Site {
    async fn start() -> Self {
        let erp = Books::start("/items", "idx").await;
        let shop = Books::start("/Order/Lines", "Id").await;
        let system = |name: &str, books: &Books| {
            let url = books.server.url();
            format!(
                "[systems.{name}]\nconnector = \"{name}\"\nsettings = {{ base_url = \"{url}\" }}\nallow_networks = [\"127.0.0.0/8\"]\n"
            )
        };
        let place = Place::with(&format!("{}{}", system("erp", &erp), system("shop", &shop)));
        place.write("connectors/erp.yaml", &erp.connector("erp"));
        place.write("connectors/shop.yaml", &shop.connector("shop"));
        place.write("mappings/order.yaml", MAPPING);
        Self { place, erp, shop }
    }

    /// A command, while the systems answer in this process.
    fn json(&self, args: &[&str]) -> Vec<Json> {
        tokio::task::block_in_place(|| self.place.json(args))
    }

    fn reconcile(&self) -> Json {
        let mut reports = self.json(&["reconcile", "order"]);
        assert_eq!(reports.len(), 1, "{reports:?}");
        let report = reports.remove(0);
        assert_eq!(report["status"], "succeeded", "{report:#}");
        report
    }

    /// Nothing is written any more.
    fn is_settled(&self) {
        let before = (self.erp.writes(), self.shop.writes());
        self.reconcile();
        assert_eq!((self.erp.writes(), self.shop.writes()), before);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_with_their_lines_are_kept_in_agreement_both_ways() {
    let site = Site::start().await;
    let bolt = json!({ "item_code": "BOLT", "qty": "10.000", "uom": "Nos", "warehouse": "W1", "rate": 1.5 });
    let sand = json!({ "item_code": "SAND", "qty": 2.5, "uom": "Kg" });
    site.erp.put("SO-1", json!({ "number": "1", "items": [bolt, sand] }));
    site.shop.put(
        "s9",
        json!({ "Number": "9", "Order": { "Note": "x", "Lines": [
        { "Product": { "Code": "NAIL", "Title": "Nail" }, "Quantity": 100, "Unit": "piece", "Depot": "D" },
    ] } }),
    );
    site.json(&["check"]);
    let first = site.reconcile();
    assert_eq!(first["counters"]["created"], 2, "{first:#}");
    assert_eq!(
        site.shop.lines_of("1"),
        json!([
            { "Id": 101, "Product": { "Code": "BOLT" }, "Quantity": 10.0, "Unit": "piece", "Depot": "W1" },
            { "Id": 102, "Product": { "Code": "SAND" }, "Quantity": 2.5, "Unit": "kilogram" },
        ])
    );
    assert_eq!(
        site.erp.lines_of("9"),
        json!([{ "idx": 101, "item_code": "NAIL", "qty": 100, "uom": "Nos", "warehouse": "D" }])
    );
    site.is_settled();

    // In the ERP a line is changed, one removed, one added, and all stand in another order.
    site.erp.edit("1", |lines| {
        lines.retain(|line| line["item_code"] != "SAND");
        lines[0]["qty"] = json!(12);
        lines.insert(0, json!({ "item_code": "GLUE", "qty": 1, "uom": "Kg" }));
    });
    // Somebody in the shop has written a remark on a line that nobody maps.
    site.shop.edit("1", |lines| lines[0]["Remark"] = json!("urgent"));
    site.json(&["sync", "order", "--record", "erp:SO-1"]);
    assert_eq!(
        site.shop.lines_of("1"),
        json!([
            { "Id": 101, "Product": { "Code": "BOLT" }, "Quantity": 12, "Unit": "piece", "Depot": "W1", "Remark": "urgent" },
            { "Id": 102, "Product": { "Code": "GLUE" }, "Quantity": 1, "Unit": "kilogram" },
        ])
    );
    site.is_settled();

    // The same in the shop, on its way to the ERP.
    site.shop.edit("1", |lines| {
        lines.retain(|line| line["Product"]["Code"] != "GLUE");
        lines[0]["Quantity"] = json!(3.25);
        lines.push(json!({ "Product": { "Code": "SAND" }, "Quantity": 4, "Unit": "kilogram" }));
    });
    let plan = site.json(&["plan", "order", "--record", "erp:SO-1"]);
    let told = plan[0].to_string();
    assert!(told.contains("SAND") && told.contains("GLUE"), "{told}");
    site.reconcile();
    let lines = site.erp.lines_of("1");
    assert_eq!(lines.as_array().map(Vec::len), Some(2), "{lines:#}");
    assert_eq!(
        (&lines[0]["item_code"], &lines[0]["rate"]),
        (&json!("BOLT"), &json!(1.5))
    );
    assert_eq!(lines[0]["qty"], json!(3.25));
    assert_eq!(
        (&lines[1]["item_code"], &lines[1]["uom"]),
        (&json!("SAND"), &json!("Kg"))
    );
    site.is_settled();
}

#[tokio::test(flavor = "multi_thread")]
async fn two_lines_with_one_key_are_a_failure_of_their_order_and_of_no_other() {
    let site = Site::start().await;
    let line = |qty: i64| json!({ "item_code": "BOLT", "qty": qty, "uom": "Nos" });
    site.erp
        .put("SO-1", json!({ "number": "1", "items": [line(1), line(2)] }));
    site.erp.put("SO-2", json!({ "number": "2", "items": [line(1)] }));
    let report = tokio::task::block_in_place(|| site.place.run(&["--json", "reconcile", "order"]));
    drop(report);
    assert_eq!(site.shop.lines_of("2")[0]["Quantity"], json!(1));
    assert_eq!(site.shop.orders.lock().unwrap().len(), 1);
    let failures = site.json(&["failures"]);
    assert_eq!(failures.len(), 1, "{failures:#?}");
    assert_eq!(
        (&failures[0]["code"], &failures[0]["field"]),
        (&json!("MP108"), &json!("items"))
    );
    let message = failures[0]["message"].as_str().unwrap();
    assert!(message.contains("lines 1 and 2"), "{message}");
}
