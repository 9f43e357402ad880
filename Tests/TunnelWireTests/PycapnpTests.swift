import NIOCore
import Testing

@testable import TunnelWire

/// Both machines against an implementation of codec and RPC that is not ours: pycapnp, over a socket.
@Suite(.enabled(if: RegistrationPeer.interpreter != nil, "CLOUDFLARED_PYCAPNP names no Python that has pycapnp"))
struct PycapnpTests {
    /// A value of ours and what it is to the peer.
    struct Pair<Value: Sendable>: Sendable {
        var value: Value
        var json: String
    }

    static let registrations = [
        Pair(
            value: Sample.registration,
            json: """
                {"auth": {"accountTag": "acct0123", "tunnelSecret": {"hex": "\(String(repeating: "41", count: 32))"}}, \
                "tunnelId": {"hex": "99999999888877776666555555555555"}, "connIndex": 2, "options": {"client": \
                {"clientId": {"hex": "00112233445566778899aabbccddeeff"}, "features": ["serialized_headers", \
                "support_quic_eof"], "version": "2026.8.2", "arch": "linux_amd64"}, "originLocalIp": {"hex": \
                "00000000000000000000ffff7f000001"}, "replaceExisting": false, "compressionQuality": 0, \
                "numPreviousAttempts": 3}}
                """),
        Pair(
            value: unusual,
            json: """
                {"auth": {"accountTag": "", "tunnelSecret": {"hex": "00ff"}}, \
                "tunnelId": {"hex": "99999999888877776666555555555555"}, "connIndex": 255, "options": {"client": \
                {"clientId": {"hex": "00112233445566778899aabbccddeeff"}, "features": [], "version": "é漢", \
                "arch": ""}, "originLocalIp": {"hex": "7f000001"}, "replaceExisting": true, \
                "compressionQuality": 9, "numPreviousAttempts": 255}}
                """),
    ]

    /// Other than the sample in every field that may differ.
    private static var unusual: RegisterConnection {
        var registration = Sample.registration
        registration.auth = TunnelAuth(accountTag: "", tunnelSecret: TunnelSecret([0, 0xff]))
        registration.connectionIndex = 255
        registration.options = ConnectionOptions(
            client: ClientInfo(clientID: Sample.clientID, features: [], version: "é漢", arch: ""),
            originLocalIP: [127, 0, 0, 1], replaceExisting: true, compressionQuality: 9, numPreviousAttempts: 255)
        return registration
    }

    static let details = Pair(
        value: Sample.details,
        json: """
            {"connectionDetails": {"uuid": {"hex": "11111111222233334444555555555555"}, "locationName": "tst01", \
            "tunnelIsRemotelyManaged": true}}
            """)

    static let refusals = [
        Pair(
            value: Sample.refusal,
            json: #"{"error": {"cause": "edge busy", "retryAfter": 2000000000, "shouldRetry": true}}"#),
        Pair(
            value: ConnectionError(cause: "é漢", retryAfter: .nanoseconds(Int64.max), shouldRetry: false),
            json: #"{"error": {"cause": "é漢", "retryAfter": 9223372036854775807, "shouldRetry": false}}"#),
    ]

    private static let configuration = ByteBuffer(string: #"{"a":1}"#)
    private static let configurationJSON = #"{"hex": "7b2261223a317d"}"#

    /// Our edge, until the peer has ended the stream. Returns all that the machine did but send.
    private func serve(
        _ peer: RegistrationPeer,
        answering answer: (inout RegistrationServer.StateMachine) -> [RegistrationServer.Action]
    ) throws -> [RegistrationServer.Action] {
        var machine = RegistrationServer.StateMachine()
        var seen: [RegistrationServer.Action] = []
        while let bytes = try peer.receive() {
            var pending = machine.received(bytes)[...]
            while let action = pending.popFirst() {
                if case .send(let bytes) = action {
                    try peer.send(bytes)
                    continue
                }
                seen.append(action)
                switch action {
                case .registrationRequested: pending += answer(&machine)
                case .unregisterRequested: pending += machine.unregisterAnswered()
                case .closed: peer.endOutput()
                case .send, .localConfigurationReceived: break
                }
            }
        }
        return seen + machine.inputEnded()
    }

    /// Our connector, from its first word to its goodbye. Returns all that the machine did but send.
    private func register(
        _ registration: RegisterConnection, with peer: RegistrationPeer
    ) throws -> [RegistrationClient.Action] {
        var machine = RegistrationClient.StateMachine()
        var seen: [RegistrationClient.Action] = []
        var pending = machine.registerRequested(registration)[...]
        while true {
            while let action = pending.popFirst() {
                if case .send(let bytes) = action {
                    try peer.send(bytes)
                    continue
                }
                seen.append(action)
                switch action {
                case .registered: pending += machine.localConfigurationOffered(Self.configuration)
                case .localConfigurationAnswered: pending += machine.unregisterRequested()
                case .refused, .registrationFailed, .unregistered: pending += machine.closeRequested()
                case .closed: return seen
                case .send: break
                }
            }
            if let bytes = try peer.receive() {
                pending += machine.received(bytes)
            } else {
                pending += machine.inputEnded()
            }
        }
    }

    @Test(arguments: registrations)
    func `our edge serves pycapnp's connector`(_ registration: Pair<RegisterConnection>) throws {
        let peer = try RegistrationPeer(.client, registration.json, Self.configurationJSON)
        let seen = try serve(peer) { $0.registrationAnswered(.connectionDetails(Self.details.value)) }
        #expect(
            seen.dropLast() == [
                .registrationRequested(registration.value), .localConfigurationReceived(Self.configuration),
                .unregisterRequested,
            ])
        guard case .closed = seen.last else { throw Unexpected() }
        #expect(
            try peer.end() == [
                #"["registerConnection", \#(Self.details.json)]"#, #"["updateLocalConfiguration", {}]"#,
                #"["unregisterConnection", {}]"#,
            ])
    }

    @Test(arguments: refusals)
    func `our edge refuses pycapnp's connector and says for how long`(_ refusal: Pair<ConnectionError>) throws {
        let peer = try RegistrationPeer(.client, Self.registrations[0].json)
        let seen = try serve(peer) { $0.registrationAnswered(.error(refusal.value)) }
        #expect(
            seen == [
                .registrationRequested(Sample.registration),
                .closed(reason: "the registration was refused", failed: false),
            ])
        #expect(try peer.end() == [#"["registerConnection", \#(refusal.json)]"#])
    }

    @Test func `our edge's exception reaches pycapnp's connector`() throws {
        let peer = try RegistrationPeer(.client, Self.registrations[0].json)
        let seen = try serve(peer) { $0.registrationFailed("no such account") }
        #expect(seen.first == .registrationRequested(Sample.registration))
        let lines = try peer.end()
        #expect(lines.count == 1)
        #expect(lines.first?.contains("exception") == true && lines.first?.contains("no such account") == true)
    }

    @Test(arguments: registrations)
    func `our connector registers with pycapnp's edge`(_ registration: Pair<RegisterConnection>) throws {
        let peer = try RegistrationPeer(.server, Self.details.json)
        #expect(
            try register(registration.value, with: peer) == [
                .registered(Self.details.value), .localConfigurationAnswered(nil), .unregistered,
                .closed(reason: "rpc: shutdown", failed: false),
            ])
        #expect(
            try peer.end() == [
                #"["registerConnection", \#(registration.json)]"#,
                #"["updateLocalConfiguration", {"config": \#(Self.configurationJSON)}]"#,
                #"["unregisterConnection", {}]"#,
            ])
    }

    @Test(arguments: refusals)
    func `our connector hears from pycapnp's edge for how long it is refused`(
        _ refusal: Pair<ConnectionError>
    ) throws {
        let peer = try RegistrationPeer(.server, refusal.json)
        #expect(
            try register(Sample.registration, with: peer) == [
                .refused(refusal.value), .closed(reason: "rpc: shutdown", failed: false),
            ])
        #expect(try peer.end() == [#"["registerConnection", \#(Self.registrations[0].json)]"#])
    }

    @Test func `our connector takes the exception of pycapnp's edge`() throws {
        let peer = try RegistrationPeer(.server, #"{"exception": "no such account"}"#)
        let seen = try register(Sample.registration, with: peer)
        guard case .registrationFailed(.exception(let reason)) = seen.first else { throw Unexpected() }
        #expect(reason.contains("no such account"))
        #expect(try peer.end() == [#"["registerConnection", \#(Self.registrations[0].json)]"#])
    }
}
