import NIOCore
import Testing

@testable import CapnProto

private typealias Incoming = RPCMessage<PointerReader>

/// Golden bytes: tunnel-protocol section 3.6, made with the Go library.
struct RPCMessageTests {
    private typealias Outgoing = RPCMessage<RPCContent>

    private func decode(_ bytes: ByteBuffer) throws -> Incoming {
        try Incoming.decode(#require(try message(bytes)))
    }

    @Test func bootstrap() throws {
        #expect(try Outgoing.bootstrap(RPCBootstrap(questionID: 0)).encodeMessage() == Golden.bootstrap)
        guard case .bootstrap(let bootstrap) = try decode(Golden.bootstrap) else { throw Unexpected() }
        #expect(bootstrap == RPCBootstrap(questionID: 0))
    }

    @Test func `return of a bootstrap`() throws {
        let results = RPCPayload(RPCContent.capability(index: 0), capabilities: [.senderHosted(0)])
        #expect(
            try Outgoing.return(RPCReturn(answerID: 0, outcome: .results(results))).encodeMessage()
                == Golden.bootstrapReturn)
        guard case .return(let answer) = try decode(Golden.bootstrapReturn), case .results(let payload) = answer.outcome
        else { throw Unexpected() }
        #expect(answer.answerID == 0)
        #expect(!answer.releasesParameterCapabilities)
        #expect(try payload.capability() == .senderHosted(0))
    }

    @Test func finish() throws {
        let finish = RPCFinish(questionID: 1, releasesResultCapabilities: false)
        #expect(try Outgoing.finish(finish).encodeMessage() == Golden.finish)
        guard case .finish(finish) = try decode(Golden.finish) else { throw Unexpected() }
    }

    @Test func `call without parameters on an imported capability`() throws {
        let call = RPCCall(
            questionID: 1, target: .importedCapability(0), interfaceID: 0xf716_95ec_7fe8_5497, methodID: 1,
            parameters: RPCPayload(RPCContent.structure(EmptyStruct())))
        #expect(try Outgoing.call(call).encodeMessage() == Golden.unregisterCall)
        guard case .call(let decoded) = try decode(Golden.unregisterCall) else { throw Unexpected() }
        #expect(decoded.questionID == 1)
        #expect(decoded.target == .importedCapability(0))
        #expect(decoded.interfaceID == 0xf716_95ec_7fe8_5497)
        #expect(decoded.methodID == 1)
        #expect(decoded.parameters.capabilities.isEmpty)
        #expect(try decoded.parameters.content.structure().integer(at: 0, as: UInt64.self) == 0)
    }

    @Test func `return without results`() throws {
        let answer = RPCReturn(answerID: 1, outcome: .results(RPCPayload(RPCContent.structure(EmptyStruct()))))
        #expect(try Outgoing.return(answer).encodeMessage() == Golden.voidReturn)
        guard case .return(let decoded) = try decode(Golden.voidReturn), case .results = decoded.outcome else {
            throw Unexpected()
        }
        #expect(decoded.answerID == 1)
    }

    @Test func abort() throws {
        let exception = RPCException("rpc: shutdown")
        #expect(try Outgoing.abort(exception).encodeMessage() == Golden.abort)
        guard case .abort(exception) = try decode(Golden.abort) else { throw Unexpected() }
    }

    @Test func `what the other implementation leaves null reads as empty`() throws {
        // C++ sends a null capability table and null content, and sets flag bits not known here.
        let bytes = bytes(
            """
            00000000 08000000
            00000000 01000100
            03000000 00000000
            00000000 02000100
            07000000 fe000000   answerId 7, releaseParamCaps by default, unknown flags
            00000000 00000000
            00000000 00000200
            00000000 00000000
            00000000 00000000
            """)
        guard case .return(let answer) = try decode(bytes), case .results(let payload) = answer.outcome else {
            throw Unexpected()
        }
        #expect(answer.releasesParameterCapabilities)
        #expect(payload.capabilities.isEmpty)
        #expect(try payload.capability() == nil)
    }

    @Test func `the rare kinds are read as they are written`() throws {
        let promise = RPCPromisedAnswer(questionID: 3, transform: [.none, .pointerField(2)])
        #expect(!promise.isWhole)
        for descriptor in [
            .none, .senderHosted(1), .senderPromise(2), .receiverHosted(3), .receiverAnswer(promise), .unknown(tag: 9),
        ] as [RPCCapabilityDescriptor] {
            let resolve = RPCResolve(promiseID: 5, outcome: .capability(descriptor))
            guard case .resolve(resolve) = try decode(Outgoing.resolve(resolve).encodeMessage()) else {
                throw Unexpected()
            }
        }
        let broken = RPCResolve(promiseID: 5, outcome: .exception(RPCException("gone", kind: .disconnected)))
        guard case .resolve(broken) = try decode(Outgoing.resolve(broken).encodeMessage()) else { throw Unexpected() }
        let release = RPCRelease(id: 4, referenceCount: 2)
        guard case .release(release) = try decode(Outgoing.release(release).encodeMessage()) else { throw Unexpected() }
        let disembargo = RPCDisembargo(id: 1, context: 0, target: .promisedAnswer(promise))
        guard case .disembargo(disembargo) = try decode(Outgoing.disembargo(disembargo).encodeMessage()) else {
            throw Unexpected()
        }
        guard case .unimplemented = try decode(Outgoing.unimplemented.encodeMessage()) else { throw Unexpected() }
        guard case .unknown(tag: 12) = try decode(Outgoing.unknown(tag: 12).encodeMessage()) else { throw Unexpected() }
    }

    @Test func `a message that is not understood comes back inside unimplemented`() throws {
        let abort = try #require(try message(Golden.abort))
        let echo = try #require(try message(Outgoing.unimplemented(echoing: abort, tag: 1)))
        let fields = try echo.root().structure()
        #expect(fields.integer(at: 0, as: UInt16.self) == 0)
        guard case .abort(let exception) = try Incoming(from: fields.pointer(0).structure()) else { throw Unexpected() }
        #expect(exception.reason == "rpc: shutdown")

        let spread = try message(segments: [
            [Word.far(segment: 1, word: 0)], [Word.structure(offset: 0, data: 1, pointers: 0), 12],
        ])
        let brief = try #require(try message(Outgoing.unimplemented(echoing: spread, tag: 12)))
        guard case .unknown(tag: 12) = try Incoming(from: brief.root().structure().pointer(0).structure()) else {
            throw Unexpected()
        }
    }

    @Test func `a table of more capabilities than the tunnel knows is refused`() throws {
        let many = RPCPayload(RPCContent.null, capabilities: Array(repeating: .senderHosted(1), count: 65))
        let bytes = try Outgoing.return(RPCReturn(answerID: 0, outcome: .results(many))).encodeMessage()
        #expect(throws: CapnProtoError.listTooLong(count: 65, limit: 64)) { _ = try decode(bytes) }
    }

    // MARK: - Bytes that are no message

    @Test(arguments: Golden.all)
    func `a message cut anywhere is waited for, and one whose header hides the cut is refused or read`(
        _ golden: ByteBuffer
    ) throws {
        for length in 0..<golden.readableBytes {
            #expect(try message(#require(golden.getSlice(at: 0, length: length))) == nil)
        }
        var failures = 0
        let words = golden.readableBytes / 8 - 1
        for length in 0..<words {
            var cut = try #require(golden.getSlice(at: 0, length: 8 + length * 8))
            cut.setInteger(UInt32(length), at: 4, endianness: .little)
            do { try readAll(cut) } catch { failures += 1 }
        }
        #expect(failures >= words - 2)
    }
}

func readAll(_ bytes: ByteBuffer) throws(CapnProtoError) {
    guard let message = try message(bytes) else { return }
    try readAll(message)
}

/// Decodes, and follows what a payload leads to in every way there is.
func readAll(_ message: Message) throws(CapnProtoError) {
    let content: PointerReader
    switch try Incoming.decode(message) {
    case .call(let call): content = call.parameters.content
    case .return(let answer):
        guard case .results(let payload) = answer.outcome else { return }
        content = payload.content
    default: return
    }
    _ = try? content.text()
    _ = try? content.data()
    _ = try? content.texts(limit: 100)
    _ = try? content.structures(limit: 100).map { try? $0.pointer(1).text() }
    _ = try? content.capability()
    let fields = try content.structure()
    for slot in 0..<8 {
        _ = fields.integer(at: slot, as: UInt64.self)
        _ = try? fields.pointer(slot).structure().pointer(slot).text()
    }
}

struct Unexpected: Error {}

enum Golden {
    static let all = [bootstrap, bootstrapReturn, finish, unregisterCall, voidReturn, abort]

    static let bootstrap = bytes(
        """
        0000 00000000 05000000   1 segment, 5 words
        0008 00000000 01000100   root: struct, offset 0, 1 data, 1 pointer (Message)
        0010 08000000 00000000   tag 8 = bootstrap
        0018 00000000 01000100   -> Bootstrap 1,1
        0020 00000000 00000000   questionId 0
        0028 00000000 00000000   null
        """)

    static let bootstrapReturn = bytes(
        """
        0000 00000000 0b000000
        0008 00000000 01000100
        0010 03000000 00000000   tag 3 = return
        0018 00000000 02000100   -> Return 2,1
        0020 00000000 01000000   answerId 0, releaseParamCaps false, tag 0 = results
        0028 00000000 00000000
        0030 00000000 00000200   -> Payload
        0038 03000000 00000000   content: capability index 0
        0040 01000000 17000000   capTable: composite, 2 words
        0048 04000000 01000100   tag: 1 element of 1,1
        0050 01000000 00000000   senderHosted, id 0
        0058 00000000 00000000
        """)

    static let finish = bytes("0000000004000000 0000000001000100 0400000000000000 0000000001000000 0100000001000000")

    static let unregisterCall = bytes(
        """
        0000 00000000 0e000000
        0008 00000000 01000100
        0010 02000000 00000000
        0018 00000000 03000300
        0020 01000000 01000000   questionId 1, methodId 1
        0028 9754e87f ec9516f7
        0030 00000000 00000000
        0038 08000000 01000100   target -> 0050
        0040 0c000000 00000200   params -> 0060
        0048 00000000 00000000
        0050 00000000 00000000   importedCap 0, tag 0
        0058 00000000 00000000
        0060 fcffffff 00000000   content: zero-size struct
        0068 01000000 07000000
        0070 00000000 01000100
        """)

    static let voidReturn = bytes(
        """
        0000000009000000 0000000001000100 0300000000000000 0000000002000100 0100000001000000
        0000000000000000 0000000000000200 fcffffff00000000 0100000007000000 0000000001000100
        """)

    static let abort = bytes(
        """
        0000000007000000 0000000001000100 0100000000000000 0000000001000100
        0000000000000000 0100000072000000 7270633a20736875 74646f776e000000
        """)
}
