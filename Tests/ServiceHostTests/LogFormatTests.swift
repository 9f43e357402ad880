import Logging
import ServiceHost
import Testing

struct LogFormatTests {
    // 2026-11-22T07:57:41Z
    let time = 1_795_334_261

    func console(_ message: String, _ fields: Logger.Metadata = [:], level: Logger.Level = .info) -> String {
        LogFormat.console(isColoured: false).line(
            level: level, message: message, fields: fields, secondsSinceEpoch: time)
    }

    func json(_ message: String, _ fields: Logger.Metadata = [:], level: Logger.Level = .info) -> String {
        LogFormat.json.line(level: level, message: message, fields: fields, secondsSinceEpoch: time)
    }

    @Test func `the console line is the official one`() {
        #expect(
            console(
                "Registered tunnel connection",
                [
                    "protocol": "http2", "location": "lhr01", "ip": "198.41.200.13", "event": .stringConvertible(0),
                    "connIndex": .stringConvertible(0), "connection": "7ab3f6c2-9e8b-4c1f-8f0c-1d2e3f4a5b6c",
                ])
                == "2026-11-22T07:57:41Z INF Registered tunnel connection connIndex=0 "
                + "connection=7ab3f6c2-9e8b-4c1f-8f0c-1d2e3f4a5b6c event=0 ip=198.41.200.13 location=lhr01 "
                + "protocol=http2\n"
        )
    }

    @Test func `the error comes first and values are quoted only when they need it`() {
        #expect(
            console(
                "Unable to establish connection with Cloudflare edge",
                ["connIndex": .stringConvertible(1), "error": "dial tcp: connection refused", "plain": "a=b"],
                level: .error)
                == "2026-11-22T07:57:41Z ERR Unable to establish connection with Cloudflare edge "
                + "error=\"dial tcp: connection refused\" connIndex=1 plain=a=b\n")
    }

    @Test(arguments: [
        (Logger.Level.trace, "TRC"), (.debug, "DBG"), (.info, "INF"), (.notice, "INF"), (.warning, "WRN"),
        (.error, "ERR"),
        (.critical, "FTL"),
    ])
    func `levels have three letters`(level: Logger.Level, short: String) {
        #expect(console("m", level: level) == "2026-11-22T07:57:41Z \(short) m\n")
    }

    @Test func `a JSON line has level, fields, time and message, numbers as numbers`() {
        #expect(
            json(
                "Serve tunnel error",
                ["event": .stringConvertible(2), "error": "a \"quoted\" word", "up": .stringConvertible(true)],
                level: .warning)
                == #"{"level":"warn","error":"a \"quoted\" word","event":2,"up":true,"time":"2026-11-22T07:57:41Z","#
                + #""message":"Serve tunnel error"}"# + "\n")
    }

    @Test func `nobody can forge a second line or move the cursor`() {
        let evil = "x\n2026-11-22T07:57:41Z ERR forged\r\u{1b}[2J\u{7f}\u{202e}"
        for line in [
            console(evil, ["host": .string(evil), "k\ney": "v"]), json(evil, ["host": .string(evil), "k\ney": "v"]),
        ] {
            let controls = line.unicodeScalars.dropLast().filter {
                $0.properties.generalCategory == .control || $0.value == 0x202e
            }
            #expect(controls.isEmpty, "\(line)")
            #expect(line.hasSuffix("\n"))
        }
        #expect(console("m", ["v": "a\tb\u{1}"]).contains(#"v="a\tb\u0001""#))
    }

    @Test func `lists and maps become JSON`() {
        let line = console("m", ["list": ["a", .stringConvertible(1)], "map": ["b": "x y", "a": "1"]])
        #expect(line.hasSuffix(#"m list=["a",1] map={"a":"1","b":"x y"}"# + "\n"))
    }

    @Test func `an endless value is cut`() {
        let line = json("m", ["v": .string(String(repeating: "a", count: 1_000_000))])
        #expect(line.utf8.count < 20_000)
    }

    @Test func `colours only when asked for`() {
        let line = LogFormat.console(isColoured: true).line(
            level: .info, message: "m", fields: ["a": "b"], secondsSinceEpoch: time)
        #expect(line.contains("\u{1b}[32mINF\u{1b}[0m"))
    }
}
