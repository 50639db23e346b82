//! A real browser without a window, driven over pipes (DevTools protocol).

use std::{
    fs::File,
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    time::Duration,
};

use serde_json::{Value, json};

/// The longest wait for something that a working browser does at once.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where the browser of the distributions is.
const PROGRAMS: [&str; 3] = [
    "/usr/bin/chromium",
    "/usr/bin/chromium-browser",
    "/usr/bin/google-chrome",
];

/// A browser with one page. Dropped, it is ended.
pub struct Chromium {
    child: Child,
    to: File,
    messages: Receiver<Value>,
    calls: u64,
    session: Option<String>,
    /// Pages that have loaded before anybody waited for them.
    loaded: u32,
    _folder: tempfile::TempDir,
}

impl Drop for Chromium {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Chromium {
    /// Starts it; none where this machine has none, which continuous integration does not accept.
    pub fn start() -> Option<Self> {
        Self::start_with(&[])
    }

    /// Starts it with some more arguments.
    pub fn start_with(arguments: &[String]) -> Option<Self> {
        let Some(program) = PROGRAMS.iter().find(|program| Path::new(program).exists()) else {
            assert!(
                std::env::var_os("CI").is_none(),
                "continuous integration needs Chromium"
            );
            let _ = writeln!(std::io::stderr(), "skipped: there is no Chromium on this machine");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for pipe in ["to", "from"] {
            assert!(Command::new("mkfifo").arg(path(pipe)).status().unwrap().success());
        }
        let script = "to=$1 from=$2 profile=$3; shift 3; exec \"$0\" --headless=new --no-sandbox --disable-gpu \
             --user-data-dir=\"$profile\" --remote-debugging-pipe \"$@\" about:blank 3<\"$to\" 4>\"$from\"";
        let child = Command::new("sh")
            .args(["-c", script, program])
            .args([path("to"), path("from"), path("profile")])
            .args(arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let to = File::options().write(true).open(path("to")).unwrap();
        let from = File::open(path("from")).unwrap();
        let (sender, messages) = channel();
        std::thread::spawn(move || {
            for message in BufReader::new(from).split(0).map_while(Result::ok) {
                // Nobody may be left who listens.
                let _ = sender.send(serde_json::from_slice(&message).unwrap_or_default());
            }
        });
        let mut browser = Self {
            child,
            to,
            messages,
            calls: 0,
            session: None,
            loaded: 0,
            _folder: folder,
        };
        browser.open();
        Some(browser)
    }

    fn open(&mut self) {
        let target = self.call("Target.createTarget", &json!({ "url": "about:blank" }));
        let attached = json!({ "targetId": target["targetId"], "flatten": true });
        let attached = self.call("Target.attachToTarget", &attached);
        self.session = Some(attached["sessionId"].as_str().unwrap().to_owned());
        self.call("Page.enable", &json!({}));
    }

    /// Leads to an address, and waits until the page is there.
    pub fn go(&mut self, address: &str) {
        self.call("Page.navigate", &json!({ "url": address }));
        self.arrive();
        // What has loaded may have been the empty page of the beginning.
        while self.js("location.href") == "about:blank" {
            self.arrive();
        }
    }

    /// Shows pages light or dark from now on.
    pub fn shine(&mut self, scheme: &str) {
        let wanted = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.call("Emulation.setEmulatedMedia", &json!({ "features": wanted }));
    }

    /// Shows pages as wide as this from now on.
    pub fn widen(&mut self, width: u32) {
        let metrics = json!({ "width": width, "height": 844, "deviceScaleFactor": 1, "mobile": width < 600 });
        self.call("Emulation.setDeviceMetricsOverride", &metrics);
    }

    /// What a script says.
    pub fn js(&mut self, script: &str) -> Value {
        let said = self.call(
            "Runtime.evaluate",
            &json!({ "expression": script, "returnByValue": true }),
        );
        assert!(said["exceptionDetails"].is_null(), "{script}: {said}");
        said["result"]["value"].clone()
    }

    /// What a script says in the end.
    pub fn promised(&mut self, script: &str) -> Value {
        let asked = json!({ "expression": script, "returnByValue": true, "awaitPromise": true });
        let said = self.call("Runtime.evaluate", &asked);
        assert!(said["exceptionDetails"].is_null(), "{said}");
        said["result"]["value"].clone()
    }

    /// The text of the page, as a person sees it.
    pub fn text(&mut self) -> String {
        self.js("document.body.innerText").as_str().unwrap().to_owned()
    }

    /// Writes into a field.
    pub fn fill(&mut self, selector: &str, text: &str) {
        self.js(&format!(
            "document.querySelector({}).value = {}",
            json!(selector),
            json!(text)
        ));
    }

    /// Clicks on something that leads to another page, and waits until that is there.
    pub fn click(&mut self, selector: &str) {
        self.js(&format!("document.querySelector({}).click()", json!(selector)));
        self.arrive();
    }

    /// Waits until a page has loaded.
    pub fn arrive(&mut self) {
        while self.loaded == 0 {
            let message = self.next();
            self.note(&message);
        }
        self.loaded -= 1;
    }

    fn call(&mut self, method: &str, params: &Value) -> Value {
        self.calls += 1;
        let mut message = json!({ "id": self.calls, "method": method, "params": params });
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        self.to.write_all(format!("{message}\0").as_bytes()).unwrap();
        loop {
            let answer = self.next();
            if answer["id"] == self.calls {
                assert!(answer["error"].is_null(), "{method}: {answer}");
                return answer["result"].clone();
            }
            // A page that loads at once has done so before the call that led there is answered.
            self.note(&answer);
        }
    }

    fn note(&mut self, message: &Value) {
        self.loaded += u32::from(message["method"] == "Page.loadEventFired");
    }

    fn next(&mut self) -> Value {
        self.messages
            .recv_timeout(PATIENCE)
            .expect("the browser says nothing any more")
    }
}
