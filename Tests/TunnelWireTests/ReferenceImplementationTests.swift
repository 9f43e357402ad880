import Foundation
import NIOCore
import Testing

@testable import CapnProto
@testable import TunnelWire

/// Our codecs against the reference implementation of Cap'n Proto: the `capnp` tool with `fixtures/tunnel.capnp`.
struct ReferenceImplementationTests {
    private static let registrationEnvelope = "Envelope(RegisterConnection, RegisterConnectionResults)"
    private static let configurationEnvelope = "Envelope(UpdateLocalConfiguration, Nothing)"

    private static let registrationText = """
        (auth = (accountTag = "acct0123", tunnelSecret = "\(String(repeating: "A", count: 32))"),
         tunnelId = 0x"99999999888877776666555555555555", connIndex = 2,
         options = (client = (clientId = 0x"00112233445566778899aabbccddeeff",
                              features = ["serialized_headers", "support_quic_eof"],
                              version = "2026.8.2", arch = "linux_amd64"),
                    originLocalIp = 0x"00000000000000000000ffff7f000001",
                    replaceExisting = false, compressionQuality = 0, numPreviousAttempts = 3))
        """

    /// Theirs becomes ours, and ours means to them what theirs does.
    private func check<Value: StructEncodable & StructDecodable & Equatable>(
        _ value: Value, is text: String, _ type: String
    ) throws {
        let theirs = try CapnpTool.encode(text, as: type)
        #expect(try Value.decode(#require(try message(theirs))) == value)
        #expect(try CapnpTool.decode(value.encodeMessage(), as: type) == CapnpTool.decode(theirs, as: type))
    }

    @Test func `the messages of a registration`() throws {
        try check(Sample.registration, is: Self.registrationText, "RegisterConnection")
        try check(
            ConnectionResponse.connectionDetails(Sample.details),
            is: """
                (connectionDetails = (uuid = 0x"11111111222233334444555555555555", locationName = "tst01",
                                      tunnelIsRemotelyManaged = true))
                """, "ConnectionResponse")
        try check(
            ConnectionResponse.error(Sample.refusal),
            is: #"(error = (cause = "edge busy", retryAfter = 2000000000, shouldRetry = true))"#, "ConnectionResponse")
        try check(
            ConnectionError(cause: "", retryAfter: .nanoseconds(-5), shouldRetry: false), is: "(retryAfter = -5)",
            "ConnectionError")
        var options = Sample.registration.options
        options.replaceExisting = true
        options.compressionQuality = 9
        options.numPreviousAttempts = 255
        options.originLocalIP = []
        options.client.features = ["é漢"]
        try check(
            options,
            is: """
                (client = (clientId = 0x"00112233445566778899aabbccddeeff", features = ["é漢"], version = "2026.8.2",
                           arch = "linux_amd64"),
                 replaceExisting = true, compressionQuality = 9, numPreviousAttempts = 255)
                """, "ConnectionOptions")
    }

    @Test func `the head of a data stream`() throws {
        try check(
            Sample.connectRequest,
            is: #"(dest = "127.0.0.1:19001", type = tcp, metadata = [(key = "FlowID", val = "flow1")])"#,
            "ConnectRequest")
        try check(
            ConnectResponse(error: "refused"), is: #"(error = "refused", metadata = [])"#, "ConnectResponse")
    }

    @Test func `the calls of our connector mean to the tool what they should`() throws {
        var machine = RegistrationClient.StateMachine()
        let opening = machine.registerRequested(Sample.registration)
        guard case .send(let bootstrap) = opening.first, case .send(let registration) = opening.last else {
            throw Unexpected()
        }
        let type = Self.registrationEnvelope
        #expect(try CapnpTool.decode(bootstrap, as: type) == CapnpTool.read("(bootstrap = (questionId = 0))", as: type))
        let call = """
            (call = (questionId = 1, interfaceId = 0xf71695ec7fe85497, methodId = 0,
                     target = (promisedAnswer = (questionId = 0, transform = [])),
                     params = (content = \(Self.registrationText), capTable = [])))
            """
        #expect(try CapnpTool.decode(registration, as: type) == CapnpTool.read(call, as: type))
        #expect(
            try CapnpTool.decode(Golden.finish, as: type)
                == CapnpTool.read("(finish = (questionId = 1, releaseResultCaps = false, laterFlag = true))", as: type))
    }

    @Test func `our edge serves the tool's calls, and its answers mean to the tool what they should`() throws {
        let type = Self.registrationEnvelope
        var machine = RegistrationServer.StateMachine()
        let bootstrap = try CapnpTool.encode("(bootstrap = (questionId = 4))", as: type)
        guard case .send(let capability) = machine.received(bootstrap).first else { throw Unexpected() }
        let answer = try CapnpTool.decode(capability, as: "Envelope")
        #expect(answer.contains("return = ( answerId = 4, releaseParamCaps = false, results = ( content = "))
        #expect(answer.contains("capTable = [ (senderHosted = 0, "))
        let call = """
            (call = (questionId = 7, interfaceId = 0xf71695ec7fe85497, methodId = 0,
                     target = (promisedAnswer = (questionId = 4, transform = [(noop = void)])),
                     params = (content = \(Self.registrationText))))
            """
        #expect(machine.received(try CapnpTool.encode(call, as: type)) == [.registrationRequested(Sample.registration)])
        guard case .send(let details) = machine.registrationAnswered(.connectionDetails(Sample.details)).first else {
            throw Unexpected()
        }
        let expected = """
            (return = (answerId = 7, releaseParamCaps = false, laterFlag = false, results = (capTable = [], content = (
              result = (connectionDetails = (uuid = 0x"11111111222233334444555555555555", locationName = "tst01",
                                             tunnelIsRemotelyManaged = true))))))
            """
        #expect(try CapnpTool.decode(details, as: type) == CapnpTool.read(expected, as: type))
    }

    @Test func `our connector takes the tool's answers`() throws {
        let type = Self.registrationEnvelope
        var machine = RegistrationClient.StateMachine()
        _ = machine.registerRequested(Sample.registration)
        let details = """
            (return = (answerId = 1, results = (content = (result = (connectionDetails = (
              uuid = 0x"11111111222233334444555555555555", locationName = "tst01", tunnelIsRemotelyManaged = true))))))
            """
        #expect(machine.received(try CapnpTool.encode(details, as: type)).last == .registered(Sample.details))
        var refused = RegistrationClient.StateMachine()
        _ = refused.registerRequested(Sample.registration)
        let exception = #"(return = (answerId = 1, exception = (reason = "no such account", type = overloaded)))"#
        #expect(
            refused.received(try CapnpTool.encode(exception, as: type)).last
                == .registrationFailed(.exception("no such account")))
    }

    @Test func `the rare kinds of the envelope`() throws {
        let promise = RPCPromisedAnswer(questionID: 3, transform: [.none, .pointerField(2)])
        let promiseText = "(questionId = 3, transform = [(noop = void), (getPointerField = 2)])"
        for (message, text) in [
            (.release(RPCRelease(id: 4, referenceCount: 2)), "(release = (id = 4, referenceCount = 2))"),
            (.abort(RPCException("bye", kind: .overloaded)), #"(abort = (reason = "bye", type = overloaded))"#),
            (
                .resolve(RPCResolve(promiseID: 5, outcome: .capability(.receiverAnswer(promise)))),
                "(resolve = (promiseId = 5, cap = (receiverAnswer = \(promiseText), laterField = 255)))"
            ),
            (
                .disembargo(RPCDisembargo(id: 6, context: 1, target: .promisedAnswer(promise))),
                "(disembargo = (target = (promisedAnswer = \(promiseText)), context = (receiverLoopback = 6)))"
            ),
            (
                .return(RPCReturn(answerID: 8, outcome: .canceled, releasesParameterCapabilities: true)),
                "(return = (answerId = 8, canceled = void))"
            ),
        ] as [(RPCMessage<RPCContent>, String)] {
            let theirs = try CapnpTool.encode(text, as: "Envelope")
            #expect(try CapnpTool.decode(rpc(message), as: "Envelope") == CapnpTool.decode(theirs, as: "Envelope"))
            let decoded = try RPCMessage<PointerReader>.decode(#require(try TunnelWireTests.message(theirs)))
            switch (decoded, message) {
            case (.release(let theirs), .release(let ours)): #expect(theirs == ours)
            case (.abort(let theirs), .abort(let ours)): #expect(theirs == ours)
            case (.resolve(let theirs), .resolve(let ours)): #expect(theirs == ours)
            case (.disembargo(let theirs), .disembargo(let ours)): #expect(theirs == ours)
            case (.return(let theirs), .return(let ours)): #expect(theirs.answerID == ours.answerID)
            default: Issue.record("\(text) was read as \(decoded)")
            }
        }
    }

    @Test(arguments: [8_100, 40_000, 300_000])
    func `a message of several segments`(_ length: Int) throws {
        let json = String(repeating: "0123456789", count: length / 10)
        let call = """
            (call = (questionId = 1, interfaceId = 0xf71695ec7fe85497, methodId = 2,
                     params = (content = (config = "\(json)"), capTable = [(none = void)])))
            """
        let theirs = try CapnpTool.encode(call, as: Self.configurationEnvelope)
        #expect(try #require(try message(theirs)).segments.count > 1)
        var machine = RegistrationServer.StateMachine()
        _ = machine.received(Golden.bootstrap)
        _ = machine.received(Golden.registerCall)
        _ = machine.registrationAnswered(.connectionDetails(Sample.details))
        _ = machine.received(Golden.finish)
        #expect(machine.received(theirs).last == .localConfigurationReceived(ByteBuffer(string: json)))
    }

    @Test func `many headers spread over segments`() throws {
        let metadata = (0..<2000).map {
            Metadata(key: "HttpHeader:X-\($0)", value: String(repeating: "v", count: $0 % 50))
        }
        let list = metadata.map { #"(key = "\#($0.key)", val = "\#($0.value)")"# }.joined(separator: ",")
        let theirs = try CapnpTool.encode("(error = \"e\", metadata = [\(list)])", as: "ConnectResponse")
        #expect(try #require(try message(theirs)).segments.count > 1)
        #expect(
            try ConnectResponse.decode(#require(try message(theirs))) == ConnectResponse(error: "e", metadata: metadata)
        )
    }
}

/// Runs the reference implementation.
private enum CapnpTool {
    struct Failure: Error, CustomStringConvertible {
        var description: String
    }

    private static let schema = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appendingPathComponent("fixtures/tunnel.capnp").path

    static func encode(_ text: String, as type: String) throws -> ByteBuffer {
        ByteBuffer(bytes: try run(["encode", schema, type], input: Data(text.utf8)))
    }

    /// The text form, on one line with single blanks.
    static func decode(_ bytes: ByteBuffer, as type: String) throws -> String {
        let text = try run(["decode", schema, type], input: Data(bytes.readableBytesView))
        return String(decoding: text, as: UTF8.self).split(whereSeparator: \.isWhitespace).joined(separator: " ")
    }

    /// The tool's own spelling of a text.
    static func read(_ text: String, as type: String) throws -> String {
        try decode(encode(text, as: type), as: type)
    }

    private static func run(_ arguments: [String], input: Data) throws -> Data {
        let path = (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin").split(separator: ":")
            .map { "\($0)/capnp" }.first { FileManager.default.isExecutableFile(atPath: $0) }
        guard let path else {
            throw Failure(description: "the capnp tool is missing: install it with `apt-get install capnproto`")
        }
        // Files and not pipes, so that neither side can wait for the other.
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("capnp-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let files = ["input", "output", "errors"].map { folder.appendingPathComponent($0) }
        try input.write(to: files[0])
        for file in files[1...] { try Data().write(to: file) }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = arguments
        process.standardInput = try FileHandle(forReadingFrom: files[0])
        process.standardOutput = try FileHandle(forWritingTo: files[1])
        process.standardError = try FileHandle(forWritingTo: files[2])
        try process.run()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            let errors = String(decoding: try Data(contentsOf: files[2]), as: UTF8.self)
            throw Failure(description: "capnp \(arguments[0]) ended with \(process.terminationStatus): \(errors)")
        }
        return try Data(contentsOf: files[1])
    }
}
