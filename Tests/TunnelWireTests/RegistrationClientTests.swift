import NIOCore
import Testing

@testable import CapnProto
@testable import TunnelWire

/// Transcripts of the connector's side. What the edge sends is the Go library's, where it has been measured.
struct RegistrationClientTests {
    private typealias Machine = RegistrationClient.StateMachine

    private func registered() -> Machine {
        var machine = Machine()
        _ = machine.registerRequested(Sample.registration)
        _ = machine.received(Golden.bootstrapReturn)
        _ = machine.received(Golden.registerReturn)
        return machine
    }

    @Test func `a whole life, byte for byte`() throws {
        var machine = Machine()
        #expect(
            machine.registerRequested(Sample.registration) == [.send(Golden.bootstrap), .send(Golden.registerCall)])
        #expect(machine.received(Golden.bootstrapReturn) == [.send(Golden.finishBootstrap)])
        #expect(machine.received(Golden.registerReturn) == [.send(Golden.finish), .registered(Sample.details)])
        let json = ByteBuffer(string: #"{"ingress":[]}"#)
        #expect(
            machine.localConfigurationOffered(json) == [.send(call(1, 2, UpdateLocalConfiguration(config: json)))])
        #expect(machine.received(Golden.voidReturn) == [.send(Golden.finish), .localConfigurationAnswered(nil)])
        #expect(machine.unregisterRequested() == [.send(Golden.unregisterCall)])
        #expect(machine.received(Golden.voidReturn) == [.send(Golden.finish), .unregistered])
        #expect(
            machine.closeRequested() == [
                .send(rpc(.release(RPCRelease(id: 0, referenceCount: 1)))), .send(Golden.goodbye),
                .closed(reason: "rpc: shutdown", failed: false),
            ])
        #expect(machine.received(Golden.voidReturn) == [])
        #expect(machine.closeRequested() == [])
        #expect(machine.inputEnded() == [])
    }

    @Test func `answers are understood wherever the stream is cut`() {
        var answers = Golden.bootstrapReturn
        answers.writeImmutableBuffer(Golden.registerReturn)
        for cut in 0...answers.readableBytes {
            var machine = Machine()
            _ = machine.registerRequested(Sample.registration)
            var actions = machine.received(answers.getSlice(at: 0, length: cut)!)
            actions += machine.received(answers.getSlice(at: cut, length: answers.readableBytes - cut)!)
            #expect(
                actions == [.send(Golden.finishBootstrap), .send(Golden.finish), .registered(Sample.details)])
        }
    }

    @Test func `the registration may be answered before the bootstrap`() {
        var machine = Machine()
        _ = machine.registerRequested(Sample.registration)
        #expect(machine.received(Golden.registerReturn) == [.send(Golden.finish), .registered(Sample.details)])
        // The capability is not known yet, so the next call goes to where it is promised.
        let promise = RPCTarget.promisedAnswer(RPCPromisedAnswer(questionID: 0))
        #expect(machine.unregisterRequested() == [.send(call(1, 1, on: promise))])
    }

    @Test func `the capability is called by the number that the edge gave it`() {
        var machine = Machine()
        _ = machine.registerRequested(Sample.registration)
        let results = RPCPayload(RPCContent.capability(index: 1), capabilities: [.none, .senderPromise(77)])
        _ = machine.received(rpc(.return(RPCReturn(answerID: 0, outcome: .results(results)))))
        _ = machine.received(Golden.registerReturn)
        #expect(machine.unregisterRequested() == [.send(call(1, 1, on: .importedCapability(77)))])
    }

    @Test func `a refusal carries its reason`() {
        var machine = Machine()
        _ = machine.registerRequested(Sample.registration)
        _ = machine.received(Golden.bootstrapReturn)
        #expect(machine.received(Golden.refusalReturn) == [.send(Golden.finish), .refused(Sample.refusal)])
        #expect(machine.localConfigurationOffered(ByteBuffer()) == [.localConfigurationAnswered(.notRegistered)])
        #expect(machine.unregisterRequested() == [.unregistered])
    }

    @Test func `an exception ends the registration for good`() {
        var machine = Machine()
        _ = machine.registerRequested(Sample.registration)
        #expect(
            machine.received(exceptionReturn(0, "rpc: no bootstrap interface")) == [.send(finish(0, releasing: true))])
        #expect(
            machine.received(exceptionReturn(1, "no")) == [
                .send(finish(1, releasing: true)), .registrationFailed(.exception("no")),
            ])
        #expect(RegistrationClient.CallFailure.exception("no").isPermanent)
        #expect(!RegistrationClient.CallFailure.timedOut.isPermanent)
    }

    @Test func `an answer with an identifier of the wrong length is permanent too`() {
        var machine = Machine()
        _ = machine.registerRequested(Sample.registration)
        var answer = Golden.registerReturn
        answer.setInteger(UInt32(15 << 3 | 2), at: 0x6c, endianness: .little)
        let failure = RegistrationClient.CallFailure.malformedAnswer(
            "connection id has 15 bytes, which is not its length")
        #expect(machine.received(answer) == [.send(Golden.finish), .registrationFailed(failure)])
        #expect(failure.isPermanent)
    }

    @Test func `an answer of neither kind, a canceled call and results elsewhere are failures`() {
        for (outcome, releasing, failure) in [
            (.canceled, true, .canceled),
            (.elsewhere(tag: 3), true, .malformedAnswer("results sent elsewhere")),
            (
                .results(RPCPayload(.null)), false,
                .malformedAnswer("connection id has 0 bytes, which is not its length")
            ),
        ] as [(RPCReturn<RPCContent>.Outcome, Bool, RegistrationClient.CallFailure)] {
            var machine = Machine()
            _ = machine.registerRequested(Sample.registration)
            let actions = machine.received(rpc(.return(RPCReturn(answerID: 1, outcome: outcome))))
            #expect(actions.first == .send(finish(1, releasing: releasing)))
            if case .results = outcome {
                // Null reads as a refusal without reason: the default of the union.
                #expect(actions.last == .refused(ConnectionError(cause: "", shouldRetry: false)))
            } else {
                #expect(actions.last == .registrationFailed(failure))
            }
        }
    }

    @Test func `a call whose time is up is finished, and its late answer ignored`() {
        var machine = registered()
        let json = ByteBuffer(string: "{}")
        _ = machine.localConfigurationOffered(json)
        #expect(
            machine.callTimedOut(.localConfiguration) == [
                .send(finish(1, releasing: true)), .localConfigurationAnswered(.timedOut),
            ])
        #expect(machine.callTimedOut(.localConfiguration) == [])
        // The number is not free before the answer has come.
        #expect(machine.localConfigurationOffered(json) == [.send(call(0, 2, UpdateLocalConfiguration(config: json)))])
        #expect(machine.received(Golden.voidReturn) == [])
        #expect(machine.unregisterRequested() == [.send(Golden.unregisterCall)])
        #expect(machine.callTimedOut(.unregister) == [.send(finish(1, releasing: true)), .unregistered])
    }

    @Test func `a registration whose time is up has failed, for this time`() {
        var machine = Machine()
        _ = machine.registerRequested(Sample.registration)
        #expect(
            machine.callTimedOut(.register) == [.send(finish(1, releasing: true)), .registrationFailed(.timedOut)])
        #expect(machine.received(Golden.registerReturn) == [])
        #expect(machine.registerRequested(Sample.registration) == [])
    }

    @Test func `no more than 64 calls wait`() {
        var machine = registered()
        for _ in 0..<64 {
            guard case .send = machine.localConfigurationOffered(ByteBuffer(string: "{}")).first else {
                Issue.record("refused too early")
                return
            }
        }
        #expect(machine.localConfigurationOffered(ByteBuffer()) == [.localConfigurationAnswered(.tooManyCalls)])
        #expect(machine.unregisterRequested() == [.unregistered])
        _ = machine.received(Golden.voidReturn)
        #expect(machine.unregisterRequested() == [.send(Golden.unregisterCall)])
    }

    @Test func `a configuration that is too large is not sent, and takes no number`() {
        var machine = Machine(limits: ControlStreamLimits(messageBytes: 1000))
        _ = machine.registerRequested(Sample.registration)
        _ = machine.received(Golden.bootstrapReturn)
        _ = machine.received(Golden.registerReturn)
        let json = ByteBuffer(repeating: 0x20, count: 1000)
        #expect(machine.localConfigurationOffered(json) == [.localConfigurationAnswered(.tooLarge)])
        #expect(machine.unregisterRequested() == [.send(Golden.unregisterCall)])
    }

    @Test func `an abort ends the stream, and only the official farewell is no failure`() {
        var machine = registered()
        #expect(machine.received(Golden.goodbye) == [.closed(reason: "rpc: shutdown", failed: false)])
        var broken = registered()
        #expect(broken.received(abort("boom")) == [.closed(reason: "boom", failed: true)])
    }

    @Test func `the end of the stream is a failure unless the connection was given back`() {
        var machine = registered()
        #expect(machine.inputEnded() == [.closed(reason: "the edge ended the control stream", failed: true)])
        var done = registered()
        _ = done.unregisterRequested()
        #expect(done.inputEnded() == [.closed(reason: "the edge ended the control stream", failed: false)])
    }

    @Test func `bytes that are no message end the stream with the reason`() {
        var machine = registered()
        let reason = "message of 17179869176 bytes, at most 1048576 are accepted"
        // 2 GiB words announced by eight bytes.
        #expect(
            machine.received(bytes("00000000 ffffff7f")) == [
                .send(abort(reason)), .closed(reason: reason, failed: true),
            ])
        #expect(machine.received(Golden.voidReturn) == [])
    }

    @Test func `questions to the connector are answered with an exception, up to a bound`() {
        var machine = registered()
        #expect(machine.received(Golden.bootstrap) == [.send(exceptionReturn(0, "rpc: no bootstrap interface"))])
        #expect(machine.received(call(5, 0)) == [.send(exceptionReturn(5, "rpc: target not found"))])
        for _ in 0..<62 { #expect(machine.received(call(5, 0)).count == 1) }
        let reason = "too many calls to a peer that offers none"
        #expect(machine.received(call(5, 0)) == [.send(abort(reason)), .closed(reason: reason, failed: true)])
    }

    @Test func `what cannot matter is passed over, what is not understood comes back`() throws {
        var machine = registered()
        for message in [
            .finish(RPCFinish(questionID: 9, releasesResultCapabilities: true)), .unimplemented,
            .release(RPCRelease(id: 0, referenceCount: 1)),
            .resolve(RPCResolve(promiseID: 0, outcome: .capability(.senderHosted(1)))),
            .return(RPCReturn(answerID: 40, outcome: .canceled)),
        ] as [RPCMessage<RPCContent>] {
            #expect(machine.received(rpc(message)) == [])
        }
        for message in [
            .unknown(tag: 12), .disembargo(RPCDisembargo(id: 1, context: 0, target: .importedCapability(0))),
        ] as [RPCMessage<RPCContent>] {
            guard case .send(let echo) = machine.received(rpc(message)).first,
                case .unimplemented = try RPCMessage<PointerReader>.decode(#require(try TunnelWireTests.message(echo)))
            else { throw Unexpected() }
        }
    }
}
