//! Where requests may go.

use super::{BOTH, KEY, ScriptedProvider, ask};
use crate::ai::remote::{Endpoint, Lookup, Outgoing, UrlFault, anthropic, check_url, openai};
use futures::future::BoxFuture;
use std::{
    io,
    net::IpAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

#[test]
fn sixty_addresses() {
    let plain = Outgoing::new(vec![]);
    let good = [
        "https://api.openai.com/v1",
        "https://api.anthropic.com",
        "https://openrouter.ai/api/v1/",
        "https://models.example.com:8443/v1",
        "  https://api.example.com/v1  ",
        "https://1.1.1.1/v1",
        "https://[2606:4700::1111]/v1",
        "https://bücher.example/v1",
        "https://xn--bcher-kva.example/v1",
        "HTTPS://API.EXAMPLE.COM/v1",
    ];
    for text in good {
        assert!(check_url(text, &plain).is_ok(), "{text}: {:?}", check_url(text, &plain));
    }
    let bad = [
        // No address, or none of a web service.
        ("", UrlFault::Malformed),
        ("api.openai.com", UrlFault::Malformed),
        ("//api.openai.com", UrlFault::Malformed),
        ("https://", UrlFault::Malformed),
        ("ftp://api.example.com/", UrlFault::Malformed),
        ("file:///etc/passwd", UrlFault::Malformed),
        ("gopher://127.0.0.1:6379/_x", UrlFault::Malformed),
        ("javascript:alert(1)", UrlFault::Malformed),
        ("data:text/plain,x", UrlFault::Malformed),
        ("unix:/run/docker.sock", UrlFault::Malformed),
        ("https://exa mple.com/", UrlFault::Malformed),
        ("https://example.com\\@127.0.0.1/", UrlFault::Malformed),
        ("https:\\\\127.0.0.1\\", UrlFault::Malformed),
        ("ht\ntps://example.com/", UrlFault::Malformed),
        ("https://exam\tple.com/", UrlFault::Malformed),
        ("https://example.com/\u{0}", UrlFault::Malformed),
        ("https://999.1.1.1/", UrlFault::Malformed),
        ("https://[::1/", UrlFault::Malformed),
        // Not https.
        ("http://api.example.com/v1", UrlFault::NotHttps),
        ("http://127.0.0.1:11434/v1", UrlFault::NotHttps),
        // Tricks with names and ends.
        ("https://user:pass@api.example.com/", UrlFault::Credentials),
        ("https://api.openai.com@127.0.0.1/", UrlFault::Credentials),
        ("https://api.openai.com:443@127.0.0.1/", UrlFault::Credentials),
        ("https://127.0.0.1#@api.openai.com/", UrlFault::Extras),
        ("https://127.0.0.1?@api.openai.com/", UrlFault::Extras),
        ("https://api.example.com/v1?key=abc", UrlFault::Extras),
        ("https://api.example.com/v1#x", UrlFault::Extras),
        // Ports.
        ("https://api.example.com:22/", UrlFault::Port),
        ("https://api.example.com:0/", UrlFault::Port),
        ("https://api.example.com:80/", UrlFault::Port),
        // This machine and its neighbours, in all spellings.
        ("https://127.0.0.1/", UrlFault::Inside),
        ("https://127.1/", UrlFault::Inside),
        ("https://2130706433/", UrlFault::Inside),
        ("https://0x7f000001/", UrlFault::Inside),
        ("https://0177.0.0.1/", UrlFault::Inside),
        ("https://0/", UrlFault::Inside),
        ("https://①②⑦.⓪.⓪.①/", UrlFault::Inside),
        ("https://127.0.0.1./", UrlFault::Inside),
        ("https://localhost/", UrlFault::Inside),
        ("https://LOCALHOST./", UrlFault::Inside),
        ("https://db.localhost/", UrlFault::Inside),
        ("https://metadata.google.internal/", UrlFault::Inside),
        ("https://printer.local/", UrlFault::Inside),
        ("https://intranet/", UrlFault::Inside),
        ("https://169.254.169.254/latest/meta-data/", UrlFault::Inside),
        ("https://10.0.0.1/", UrlFault::Inside),
        ("https://172.20.1.1/", UrlFault::Inside),
        ("https://192.168.178.1/", UrlFault::Inside),
        ("https://100.64.0.1/", UrlFault::Inside),
        ("https://198.18.0.1/", UrlFault::Inside),
        ("https://224.0.0.1/", UrlFault::Inside),
        ("https://255.255.255.255/", UrlFault::Inside),
        ("https://[::1]/", UrlFault::Inside),
        ("https://[::]/", UrlFault::Inside),
        ("https://[::ffff:127.0.0.1]/", UrlFault::Inside),
        ("https://[::ffff:7f00:1]/", UrlFault::Inside),
        ("https://[::127.0.0.1]/", UrlFault::Inside),
        ("https://[64:ff9b::a9fe:a9fe]/", UrlFault::Inside),
        ("https://[2002:7f00:1::]/", UrlFault::Inside),
        ("https://[2001:0:7f00:1::]/", UrlFault::Inside),
        ("https://[fd00:ec2::254]/", UrlFault::Inside),
        ("https://[fe80::1]/", UrlFault::Inside),
        ("https://[ff02::1]/", UrlFault::Inside),
    ];
    assert!(bad.len() >= 60);
    for (text, fault) in bad {
        assert_eq!(check_url(text, &plain), Err(fault), "{text}");
    }
    let long = format!("https://api.example.com/{}", "a".repeat(1000));
    assert_eq!(check_url(&long, &plain), Err(UrlFault::TooLong));
}

#[test]
fn a_listed_host_may_be_inside() {
    let listed =
        Outgoing::new(vec!["LocalHost".into(), "10.0.0.5:8000".into(), "[::1]:1234".into(), "169.254.169.254".into()]);
    for text in ["http://localhost:11434/v1", "https://localhost/", "http://10.0.0.5:8000/v1", "http://[::1]:1234/"] {
        assert!(check_url(text, &listed).is_ok(), "{text}");
    }
    for (text, fault) in [
        ("http://10.0.0.5:8001/v1", UrlFault::NotHttps),
        ("https://10.0.0.5/v1", UrlFault::Inside),
        ("http://10.0.0.6:8000/v1", UrlFault::NotHttps),
        ("http://127.0.0.1:11434/v1", UrlFault::NotHttps),
        ("http://169.254.169.254/", UrlFault::Inside),
        ("http://user@localhost/", UrlFault::Credentials),
    ] {
        assert_eq!(check_url(text, &listed), Err(fault), "{text}");
    }
    listed.set_local_hosts(vec![]);
    assert!(check_url("http://localhost:11434/v1", &listed).is_err());
}

/// A name server that gives one answer after the other, the last one for ever.
struct Fickle {
    answers: Mutex<Vec<Vec<IpAddr>>>,
    asked: AtomicUsize,
}

impl Fickle {
    fn new(answers: &[&[&str]]) -> Arc<Self> {
        let answers = answers.iter().map(|a| a.iter().map(|ip| ip.parse().unwrap()).collect()).collect();
        Arc::new(Self { answers: Mutex::new(answers), asked: AtomicUsize::new(0) })
    }
}

impl Lookup for Fickle {
    fn lookup(&self, _name: &str) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let mut answers = self.answers.lock().unwrap();
        let answer = if answers.len() > 1 { answers.remove(0) } else { answers[0].clone() };
        Box::pin(async move { Ok(answer) })
    }
}

/// A port on which nobody may call, and how often somebody did.
async fn forbidden() -> (u16, Arc<AtomicUsize>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    tokio::spawn(async move {
        while listener.accept().await.is_ok() {
            counted.fetch_add(1, Ordering::SeqCst);
        }
    });
    (port, calls)
}

fn endpoint(url: url::Url) -> Endpoint {
    Endpoint {
        provider: "Acme".into(),
        base_url: url,
        key: Some(KEY.to_owned().into()),
        model: "m".into(),
        context: 8000,
        max_output: 1000,
        capabilities: Default::default(),
        timeouts: Default::default(),
    }
}

#[tokio::test]
async fn a_name_that_changes_its_answer_gains_nothing() {
    let (port, calls) = forbidden().await;
    let lookup = Fickle::new(&[&["1.1.1.1"], &["127.0.0.1", "::1", "::ffff:127.0.0.1", "169.254.169.254"]]);
    let outgoing = Outgoing::with_lookup(vec![], lookup.clone());
    let url = check_url(&format!("https://rebind.example.com:{port}/v1"), &outgoing).expect("a good address");
    outgoing.check_name(&url).await.expect("outside, for now");
    for speak in [openai, anthropic] {
        let heard = ask(&speak(&outgoing, endpoint(url.clone()))).await;
        assert_eq!(heard.kind(), "unreachable");
    }
    assert_eq!(outgoing.check_name(&url).await, Err(UrlFault::Inside));
    assert_eq!(lookup.asked.load(Ordering::SeqCst), 4, "each connection looks for itself, once");
    assert_eq!(calls.load(Ordering::SeqCst), 0, "nobody called inside");

    // Listed for another port, it is still outside on this one.
    outgoing.set_local_hosts(vec!["rebind.example.com:1".into()]);
    assert_eq!(ask(&openai(&outgoing, endpoint(url.clone()))).await.kind(), "unreachable");
    assert_eq!(calls.load(Ordering::SeqCst), 0);

    // Listed, it may be called (and hangs up, since nobody speaks TLS there).
    outgoing.set_local_hosts(vec![format!("rebind.example.com:{port}")]);
    let mut hasty = endpoint(url);
    hasty.timeouts.connect = Duration::from_millis(500);
    hasty.model = "other".into();
    ask(&openai(&outgoing, hasty)).await;
    assert!(calls.load(Ordering::SeqCst) > 0);
}

#[tokio::test]
async fn an_address_that_was_let_in_by_mistake_is_still_refused() {
    let (port, calls) = forbidden().await;
    let outgoing = Outgoing::new(vec![]);
    for text in [
        format!("http://127.0.0.1:{port}/v1"),
        format!("https://127.0.0.1:{port}/v1"),
        format!("https://localhost:{port}/"),
    ] {
        for speak in [openai, anthropic] {
            let heard = ask(&speak(&outgoing, endpoint(text.parse().unwrap()))).await;
            assert_eq!(heard.kind(), "unavailable", "{text}");
        }
    }
    assert_eq!(calls.load(Ordering::SeqCst), 0);
    let nobody = Outgoing::with_lookup(vec![], Fickle::new(&[&[]]));
    let url = check_url("https://nobody.example.com/v1", &nobody).unwrap();
    assert_eq!(nobody.check_name(&url).await, Err(UrlFault::Unknown));
}

#[tokio::test]
async fn a_redirect_leads_nowhere() {
    let (port, calls) = forbidden().await;
    let provider = ScriptedProvider::start().await;
    provider.outgoing().set_local_hosts(vec!["127.0.0.1".into()]);
    for speaks in BOTH {
        for (status, target) in
            [(302, "http://169.254.169.254/".to_owned()), (307, format!("http://127.0.0.1:{port}/v1"))]
        {
            provider.plays(vec![super::Act::Status(status), super::Act::Header("location", target)]);
            let heard = ask(&provider.model(speaks)).await;
            assert_eq!(heard.kind(), "bad_response");
        }
    }
    assert_eq!(calls.load(Ordering::SeqCst), 0);
}
