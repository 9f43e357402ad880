import Testing

@testable import TunnelWire

struct ResponseHeaderBlobTests {
    private func texts(_ headers: [(name: String, value: String)]) -> [String] {
        headers.map { "\($0.name): \($0.value)" }
    }

    @Test func `the example of the official connector, both ways`() throws {
        let blob = "Q29udGVudC1UeXBl:dGV4dC9wbGFpbg;U2V0LUNvb2tpZQ:YT0x;U2V0LUNvb2tpZQ:Yj0y"
        let headers = [("Content-Type", "text/plain"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]
            .map { (name: $0.0, value: $0.1) }
        #expect(ResponseHeaderBlob.encode(headers) == blob)
        #expect(try texts(ResponseHeaderBlob.decode(blob)) == texts(headers))
    }

    @Test func `nothing is nothing`() throws {
        #expect(ResponseHeaderBlob.encode([]) == "")
        #expect(try ResponseHeaderBlob.decode("").isEmpty)
        #expect(try ResponseHeaderBlob.decode(";;").isEmpty)
    }

    @Test func `values of every length and character come back`() throws {
        for length in 0...40 {
            let value = String("\t !~é漢azAZ09/+=:;,\"".prefix(length)) + String(repeating: "x", count: length)
            let headers = [(name: "X-\(length)", value: value), (name: "X", value: "")]
            #expect(try texts(ResponseHeaderBlob.decode(ResponseHeaderBlob.encode(headers))) == texts(headers))
        }
    }

    @Test func `what is talk between connector and edge does not leave the connector`() throws {
        let dropped = [":status", "cf-int-x", "CF-INT-X", "Cf-Cloudflared-Response-Meta", "cf-proxy-a", ":"]
        let kept = ["cf-ray", "cf-in", "connection", "upgrade", "sec-websocket-accept", "x-cf-int-a", "Cf-Cloudflare"]
        let blob = ResponseHeaderBlob.encode((dropped + kept).map { (name: $0, value: "v") })
        #expect(try ResponseHeaderBlob.decode(blob).map(\.name) == kept)
        #expect(dropped.allSatisfy(ResponseHeaderBlob.isInternal))
        #expect(!kept.contains(where: ResponseHeaderBlob.isInternal))
        #expect(!ResponseHeaderBlob.isInternal(""))
        // Not the letters that only share a bit with the prefix's own.
        #expect(!ResponseHeaderBlob.isInternal("cf\rint-"))
    }

    @Test(
        arguments: [
            ("QQ", .malformedField(index: 0)), ("QQ:QQ;QQ", .malformedField(index: 1)),
            ("QQ:QQ:QQ", .malformedField(index: 0)), ("QQ:QQ==", .invalidBase64(index: 0)),
            ("QQ:Q", .invalidBase64(index: 0)), ("QQ:Q-_Q", .invalidBase64(index: 0)),
            ("Q Q:QQ", .invalidBase64(index: 0)),
            ("QQ:é", .invalidBase64(index: 0)), (":QQ", .illegalName(index: 0)),
        ] as [(String, ResponseHeaderBlobError)])
    func `a blob that is none is refused whole`(_ blob: String, _ error: ResponseHeaderBlobError) {
        #expect(throws: error) { try ResponseHeaderBlob.decode(blob) }
    }

    @Test func `every byte that is illegal in HTTP is refused`() throws {
        for byte in UInt8.min...UInt8.max {
            var encoded: [UInt8] = []
            Base64.encode([0x61, byte], to: &encoded)
            let text = String(decoding: encoded, as: UTF8.self)
            let isToken =
                byte < 0x80 && "!#$%&'*+-.^_`|~".utf8.contains(byte)
                || (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte) || (0x61...0x7a).contains(byte)
            let isValue = byte == 9 || (0x20...0x7e).contains(byte) || byte >= 0x80
            let named = try? ResponseHeaderBlob.decode("\(text):YQ")
            #expect((named != nil) == isToken)
            let valued = try? ResponseHeaderBlob.decode("YQ:\(text)")
            #expect((valued != nil) == isValue)
        }
        #expect(throws: ResponseHeaderBlobError.illegalName(index: 0)) { try ResponseHeaderBlob.decode("YTpi:YQ") }
        #expect(throws: ResponseHeaderBlobError.illegalValue(index: 1)) {
            try ResponseHeaderBlob.decode("YQ:YQ;YQ:YQ0K")
        }
    }

    @Test func `line ends inside base64 are skipped, as in Go`() throws {
        #expect(try texts(ResponseHeaderBlob.decode("Q\r\nQ:Y\nQ")) == ["A: a"])
    }

    @Test func `more fields than any origin sends are refused`() throws {
        let most = Array(repeating: "QQ:", count: ResponseHeaderBlob.maximumFields).joined(separator: ";")
        #expect(try ResponseHeaderBlob.decode(most).count == ResponseHeaderBlob.maximumFields)
        #expect(throws: ResponseHeaderBlobError.tooManyFields(limit: 10_000)) {
            try ResponseHeaderBlob.decode(most + ";QQ:")
        }
    }

    @Test func `a blob cut anywhere never traps`() {
        let blob = "Q29udGVudC1UeXBl:dGV4dC9wbGFpbg;U2V0LUNvb2tpZQ:YT0x;U2V0LUNvb2tpZQ:Yj0y"
        for length in 0..<blob.utf8.count {
            _ = try? ResponseHeaderBlob.decode(String(blob.prefix(length)))
        }
    }
}

struct ResponseMetaTests {
    @Test(arguments: ResponseMeta.allCases)
    func `the official texts, both ways`(_ meta: ResponseMeta) {
        #expect(ResponseMeta(decoding: meta.encoded) == meta)
    }

    @Test func `other spellings of the same`() {
        #expect(ResponseMeta(decoding: #" { "src" : "origin", "new": [1] } "#) == .origin)
        #expect(ResponseMeta(decoding: #"{"flow_rate_limited":true,"src":"cloudflared"}"#) == .flowRateLimited)
        #expect(ResponseMeta(decoding: #"{"flow_rate_limited":false,"src":"cloudflared"}"#) == .connector)
    }

    @Test(arguments: [
        "", "{}", "null", #"{"src":1}"#, #"{"src":"moon"}"#, #"{"src":"origin""#, String(repeating: "[", count: 5000),
    ])
    func `anything else tells nothing`(_ text: String) {
        #expect(ResponseMeta(decoding: text) == nil)
    }
}

struct StreamKindTests {
    @Test(
        arguments: [
            ("update-configuration", "tcp", .updateConfiguration), ("update-configuration", nil, .updateConfiguration),
            ("websocket", "tcp", .webSocket), ("websocket", nil, .webSocket),
            ("control-stream", "tcp", .tcp), ("control-stream", "", .controlStream),
            ("control-stream", nil, .controlStream),
            (nil, "anything", .tcp), (nil, "", .http), (nil, nil, .http), ("", nil, .http),
            ("WebSocket", nil, .http), ("h2c", nil, .http), ("h2c", "tcp", .tcp),
        ] as [(String?, String?, StreamKind)])
    func `the first test that matches decides`(_ upgrade: String?, _ source: String?, _ kind: StreamKind) {
        #expect(StreamKind(connectionUpgrade: upgrade, tcpSource: source) == kind)
    }

    @Test(arguments: StreamKind.allCases)
    func `the header of a kind makes a stream of that kind`(_ kind: StreamKind) {
        let header = kind.header
        let upgrade = header?.name == ControlHeader.connectionUpgrade ? header?.value : nil
        let source = header?.name == ControlHeader.tcpSource ? header?.value : nil
        #expect(StreamKind(connectionUpgrade: upgrade, tcpSource: source) == kind)
    }
}
