import FoundationEssentials
import NIOCore
import Testing

@testable import CapnProto
@testable import TunnelWire

struct MessageTests {
    private func decode<Value: StructDecodable>(_ bytes: ByteBuffer) throws -> Value {
        try Value.decode(#require(try message(bytes)))
    }

    @Test func `a registration`() throws {
        guard case .call(let call) = try RPCMessage<PointerReader>.decode(#require(try message(Golden.registerCall)))
        else {
            throw Unexpected()
        }
        #expect(try RegisterConnection(from: call.parameters.content.structure()) == Sample.registration)
        #expect(call.target == .promisedAnswer(RPCPromisedAnswer(questionID: 0)))
        #expect(try decode(Sample.registration.encodeMessage()) == Sample.registration)
    }

    @Test func `a registration that leaves out everything it may`() throws {
        let request = RegisterConnection(
            auth: TunnelAuth(accountTag: "", tunnelSecret: TunnelSecret([])), tunnelID: Sample.registration.tunnelID,
            connectionIndex: 0,
            options: ConnectionOptions(
                client: ClientInfo(clientID: Sample.clientID, features: [], version: "", arch: ""), originLocalIP: [],
                replaceExisting: true, compressionQuality: 255, numPreviousAttempts: 255))
        #expect(try decode(request.encodeMessage()) == request)
    }

    @Test(arguments: [
        (Golden.registerReturn, ConnectionResponse.connectionDetails(Sample.details)),
        (Golden.refusalReturn, ConnectionResponse.error(Sample.refusal)),
    ])
    func `the answers to a registration`(_ golden: ByteBuffer, _ response: ConnectionResponse) throws {
        guard case .return(let answer) = try RPCMessage<PointerReader>.decode(#require(try message(golden))),
            case .results(let payload) = answer.outcome
        else { throw Unexpected() }
        #expect(try RegisterConnectionResults(from: payload.content.structure()).response == response)
        let results = RPCPayload(RPCContent.structure(RegisterConnectionResults(response: response)))
        #expect(rpc(.return(RPCReturn(answerID: 1, outcome: .results(results)))) == golden)
    }

    @Test(
        arguments: [
            .zero, .nanoseconds(-1), .seconds(-3), .seconds(9_000_000_000), .nanoseconds(Int64.min),
            .nanoseconds(Int64.max),
        ] as [Duration])
    func `a pause of any length`(_ pause: Duration) throws {
        let error = ConnectionError(cause: "é", retryAfter: pause, shouldRetry: false)
        #expect(try decode(error.encodeMessage()) == error)
    }

    @Test func `a pause longer than the wire has room for is cut`() throws {
        let long = ConnectionError(cause: "", retryAfter: .seconds(Int64.max), shouldRetry: false)
        let decoded: ConnectionError = try decode(long.encodeMessage())
        #expect(decoded.retryAfter == .nanoseconds(Int64.max))
        let past = ConnectionError(cause: "", retryAfter: .seconds(Int64.min), shouldRetry: false)
        let decodedPast: ConnectionError = try decode(past.encodeMessage())
        #expect(decodedPast.retryAfter == .nanoseconds(Int64.min))
    }

    @Test func `a data stream's head`() throws {
        #expect(try Sample.connectRequest.encodeMessage() == Golden.connectRequest)
        #expect(try decode(Golden.connectRequest) == Sample.connectRequest)
        #expect(try ConnectResponse().encodeMessage() == Golden.connectResponse)
        #expect(try decode(Golden.connectResponse) == ConnectResponse())
        let refusal = ConnectResponse(
            error: "refused", metadata: [Metadata(key: "a", value: ""), Metadata(key: "", value: "b")])
        #expect(try decode(refusal.encodeMessage()) == refusal)
    }

    @Test func `an unknown type of data stream is refused`() throws {
        var bytes = Golden.connectRequest
        bytes.setInteger(UInt16(3), at: 16, endianness: .little)
        #expect(throws: CapnProtoError.unknownTag(field: "connection type", tag: 3)) {
            _ = try decode(bytes) as ConnectRequest
        }
    }

    @Test(arguments: [0, 15, 17])
    func `an identifier of another length is refused`(_ length: Int) throws {
        struct Short: StructEncodable {
            static let structSize = StructSize(data: 1, pointers: 4)
            var length: Int
            func encode(to fields: inout StructWriter) {
                fields.setData(0, Array(repeating: 1, count: length))
            }
        }
        let bytes = try Short(length: length).encodeMessage()
        #expect(throws: CapnProtoError.wrongLength(field: "connection id", length: length)) {
            _ = try decode(bytes) as ConnectionDetails
        }
        #expect(throws: CapnProtoError.wrongLength(field: "client id", length: length)) {
            _ = try decode(bytes) as ClientInfo
        }
    }

    @Test func `an answer that is neither yes nor no is refused`() throws {
        var bytes = try ConnectionResponse.error(Sample.refusal).encodeMessage()
        bytes.setInteger(UInt16(2), at: 16, endianness: .little)
        #expect(throws: CapnProtoError.unknownTag(field: "connection response", tag: 2)) {
            _ = try decode(bytes) as ConnectionResponse
        }
    }

    @Test func `a secret prints as redacted, alone and inside a message`() {
        let secret = TunnelSecret(Array("correct horse battery".utf8))
        let request = RegisterConnection(
            auth: TunnelAuth(accountTag: "tag", tunnelSecret: secret), tunnelID: Sample.clientID, connectionIndex: 0,
            options: Sample.registration.options)
        var dumped = ""
        dump(request, to: &dumped)
        for text in ["\(secret)", String(reflecting: secret), "\(request)", String(reflecting: request), dumped] {
            #expect(text.contains("<redacted>"))
            #expect(!text.contains("99, 111"))
            #expect(!text.contains("- 99"))
            #expect(!text.contains("correct"))
        }
    }

    @Test func `secrets are equal when all their bytes are`() {
        #expect(TunnelSecret([1, 2, 3]) == TunnelSecret([1, 2, 3]))
        #expect(TunnelSecret([1, 2, 3]) != TunnelSecret([1, 2, 4]))
        #expect(TunnelSecret([1, 2, 3]) != TunnelSecret([0, 2, 3]))
        #expect(TunnelSecret([1, 2, 3]) != TunnelSecret([1, 2]))
        #expect(TunnelSecret([]) == TunnelSecret([]))
    }

    // MARK: - Bytes that are no message

    @Test func `a registration cut at any word, its header hiding the cut, is refused`() throws {
        // The last word is the tag of an empty table, the one before it the end of an address.
        for words in 0..<54 {
            var cut = try #require(Golden.registerCall.getSlice(at: 0, length: 8 + words * 8))
            cut.setInteger(UInt32(words), at: 4, endianness: .little)
            #expect(throws: CapnProtoError.self) { try readAll(cut) }
        }
    }
}

func readAll(_ bytes: ByteBuffer) throws(CapnProtoError) {
    guard let message = try message(bytes) else { return }
    _ = try? ConnectRequest.decode(message)
    _ = try? ConnectResponse.decode(message)
    _ = try? RegisterConnection.decode(message)
    _ = try? ConnectionResponse.decode(message)
    switch try RPCMessage<PointerReader>.decode(message) {
    case .call(let call):
        _ = try RegisterConnection(from: call.parameters.content.structure())
    case .return(let answer):
        guard case .results(let payload) = answer.outcome else { return }
        _ = try RegisterConnectionResults(from: payload.content.structure())
    default:
        return
    }
}

struct Unexpected: Error {}
