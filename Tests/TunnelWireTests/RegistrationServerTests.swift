import NIOCore
import Testing

@testable import CapnProto
@testable import TunnelWire

/// Transcripts of the edge's side. What the connector sends is the Go library's, where it has been measured.
struct RegistrationServerTests {
    private typealias Machine = RegistrationServer.StateMachine

    private func registered(limits: ControlStreamLimits = ControlStreamLimits()) -> Machine {
        var machine = Machine(limits: limits)
        _ = machine.received(Golden.bootstrap)
        _ = machine.received(Golden.registerCall)
        _ = machine.registrationAnswered(.connectionDetails(Sample.details))
        _ = machine.received(Golden.finishBootstrap)
        _ = machine.received(Golden.finish)
        return machine
    }

    @Test func `a whole life, byte for byte`() {
        var machine = Machine()
        #expect(machine.received(Golden.bootstrap) == [.send(Golden.bootstrapReturn)])
        #expect(machine.received(Golden.registerCall) == [.registrationRequested(Sample.registration)])
        #expect(machine.received(Golden.finishBootstrap) == [])
        #expect(!machine.isRegistered)
        #expect(machine.registrationAnswered(.connectionDetails(Sample.details)) == [.send(Golden.registerReturn)])
        #expect(machine.isRegistered)
        #expect(machine.received(Golden.finish) == [])
        let json = ByteBuffer(string: #"{"ingress":[]}"#)
        #expect(
            machine.received(call(1, 2, UpdateLocalConfiguration(config: json))) == [
                .send(Golden.voidReturn), .localConfigurationReceived(json),
            ])
        #expect(machine.received(Golden.finish) == [])
        #expect(machine.received(Golden.unregisterCall) == [.unregisterRequested])
        #expect(!machine.isRegistered)
        #expect(machine.unregisterAnswered() == [.send(Golden.voidReturn)])
        #expect(machine.received(Golden.finish) == [])
        #expect(machine.received(rpc(.release(RPCRelease(id: 0, referenceCount: 1)))) == [])
        #expect(machine.received(Golden.goodbye) == [.closed(reason: "rpc: shutdown", failed: false)])
        #expect(machine.received(Golden.bootstrap) == [])
        #expect(machine.inputEnded() == [])
        #expect(machine.closeRequested() == [])
    }

    @Test func `a refused connection is closed when the connector has read why`() {
        var machine = Machine()
        _ = machine.received(Golden.bootstrap)
        _ = machine.received(Golden.registerCall)
        #expect(machine.registrationAnswered(.error(Sample.refusal)) == [.send(Golden.refusalReturn)])
        #expect(!machine.isRegistered)
        #expect(machine.received(Golden.finishBootstrap) == [])
        #expect(machine.received(Golden.finish) == [.closed(reason: "the registration was refused", failed: false)])
    }

    @Test func `a registration that could not be decided is answered by an exception`() {
        var machine = Machine()
        _ = machine.received(Golden.bootstrap)
        _ = machine.received(Golden.registerCall)
        #expect(machine.registrationFailed("store is down") == [.send(exceptionReturn(1, "store is down"))])
        #expect(machine.registrationAnswered(.error(Sample.refusal)) == [])
    }

    @Test func `a registration that cannot be read is answered by an exception`() {
        var machine = Machine()
        _ = machine.received(Golden.bootstrap)
        var request = Golden.registerCall
        request.setInteger(UInt32(15 << 3 | 2), at: 0x9c, endianness: .little)
        let reason = "registerConnection: tunnel id has 15 bytes, which is not its length"
        #expect(machine.received(request) == [.send(exceptionReturn(1, reason))])
        #expect(machine.received(Golden.finish) == [.closed(reason: "the registration was refused", failed: false)])
    }

    @Test func `a second registration ends the connection`() {
        let reason = "second registration on one connection"
        let ending: [RegistrationServer.Action] = [
            .send(exceptionReturn(2, "this connection has registered already")), .send(abort(reason)),
            .closed(reason: reason, failed: true),
        ]
        var machine = registered()
        #expect(machine.received(call(2, 0, Sample.registration)) == ending)
        var undecided = Machine()
        _ = undecided.received(Golden.bootstrap)
        _ = undecided.received(Golden.registerCall)
        #expect(undecided.received(call(2, 0, Sample.registration)) == ending)
    }

    @Test(arguments: [1, 2] as [UInt16])
    func `a call before the registration ends the connection`(_ method: UInt16) {
        var machine = Machine()
        _ = machine.received(Golden.bootstrap)
        let promise = RPCTarget.promisedAnswer(RPCPromisedAnswer(questionID: 0))
        #expect(
            machine.received(call(1, method, on: promise)) == [
                .send(exceptionReturn(1, "not registered")), .send(abort("call before registration")),
                .closed(reason: "call before registration", failed: true),
            ])
    }

    @Test func `a method that is not offered is answered so, up to a bound`() {
        var machine = registered()
        let reason = "@0xf71695ec7fe85497.@3: capnp: method not implemented"
        #expect(machine.received(call(1, 3)) == [.send(exceptionReturn(1, reason, kind: .unimplemented))])
        let other = "@0xea58385c65416035.@0: capnp: method not implemented"
        #expect(
            machine.received(call(2, 0, interfaceID: 0xea58_385c_6541_6035)) == [
                .send(exceptionReturn(2, other, kind: .unimplemented))
            ])
        #expect(machine.isRegistered)
        for _ in 0..<62 {
            _ = machine.received(finish(1, releasing: true))
            #expect(machine.received(call(1, 3)).count == 1)
        }
        _ = machine.received(finish(1, releasing: true))
        #expect(
            machine.received(call(1, 3)).last == .closed(reason: "too many calls that are not offered", failed: true))
    }

    @Test(
        arguments: [
            .importedCapability(1), .unknown(tag: 7), .promisedAnswer(RPCPromisedAnswer(questionID: 9)),
            .promisedAnswer(RPCPromisedAnswer(questionID: 3, transform: [.pointerField(0)])),
        ] as [RPCTarget])
    func `a target that does not exist is not found`(_ target: RPCTarget) {
        var machine = registered()
        _ = machine.received(rpc(.bootstrap(RPCBootstrap(questionID: 3))))
        #expect(machine.received(call(1, 1, on: target)) == [.send(exceptionReturn(1, "rpc: target not found"))])
        let whole = RPCTarget.promisedAnswer(RPCPromisedAnswer(questionID: 3, transform: [.none]))
        #expect(machine.received(call(2, 1, on: whole)) == [.unregisterRequested])
    }

    @Test func `a number in use may not be used again`() {
        var machine = Machine()
        _ = machine.received(Golden.bootstrap)
        let reason = "rpc: question ID reused"
        #expect(machine.received(Golden.bootstrap) == [.send(abort(reason)), .closed(reason: reason, failed: true)])
        var other = registered()
        _ = other.received(Golden.unregisterCall)
        #expect(other.received(Golden.unregisterCall).last == .closed(reason: reason, failed: true))
    }

    @Test func `no more than 64 questions are open`() {
        var machine = registered()
        for id in 0..<64 { #expect(machine.received(rpc(.bootstrap(RPCBootstrap(questionID: UInt32(id))))).count == 1) }
        #expect(
            machine.received(rpc(.bootstrap(RPCBootstrap(questionID: 64)))).last
                == .closed(reason: "too many open questions", failed: true))
    }

    @Test func `what need not be asked again is answered a bounded number of times`() {
        var machine = registered()
        for _ in 0..<64 {
            #expect(machine.received(Golden.bootstrap) == [.send(Golden.bootstrapReturn)])
            #expect(machine.received(Golden.finishBootstrap) == [])
        }
        #expect(machine.received(Golden.bootstrap).last == .closed(reason: "too many bootstraps", failed: true))
        var leaving = registered()
        _ = leaving.received(Golden.unregisterCall)
        _ = leaving.unregisterAnswered()
        for _ in 0..<64 {
            _ = leaving.received(Golden.finish)
            #expect(leaving.received(Golden.unregisterCall) == [.send(Golden.voidReturn)])
        }
        _ = leaving.received(Golden.finish)
        #expect(
            leaving.received(Golden.unregisterCall).last
                == .closed(reason: "too many calls to give back the connection", failed: true))
    }

    @Test func `a connector that no longer waits for its registration is gone`() {
        var machine = Machine()
        _ = machine.received(Golden.bootstrap)
        _ = machine.received(Golden.registerCall)
        let reason = "the connector gave up its registration"
        #expect(
            machine.received(finish(1, releasing: true)) == [
                .send(abort(reason)), .closed(reason: reason, failed: true),
            ])
        #expect(machine.registrationAnswered(.connectionDetails(Sample.details)) == [])
        #expect(!machine.isRegistered)
    }

    @Test func `a question finished too early keeps its number until it is answered`() {
        var machine = registered()
        _ = machine.received(Golden.unregisterCall)
        #expect(machine.received(Golden.finish) == [])
        #expect(machine.unregisterAnswered() == [.send(Golden.voidReturn)])
        #expect(machine.received(rpc(.bootstrap(RPCBootstrap(questionID: 1)))).count == 1)
    }

    @Test func `giving back twice is answered twice`() {
        var machine = registered()
        _ = machine.received(Golden.unregisterCall)
        let second = RPCReturn<RPCContent>(answerID: 2, outcome: .results(RPCPayload(.structure(EmptyStruct()))))
        #expect(machine.received(call(2, 1)) == [.send(rpc(.return(second)))])
    }

    @Test func `before the registration a large message is refused by its header, afterwards it is read`() {
        let limits = ControlStreamLimits(messageBytesBeforeRegistration: 500, messageBytes: 1000)
        let json = ByteBuffer(repeating: 0x20, count: 600)
        let large = call(1, 2, UpdateLocalConfiguration(config: json))
        var machine = registered(limits: limits)
        #expect(machine.received(large).last == .localConfigurationReceived(json))
        var stranger = Machine(limits: limits)
        let reason = "message of \(large.readableBytes - 8) bytes, at most 500 are accepted"
        #expect(
            stranger.received(large.getSlice(at: 0, length: 8)!) == [
                .send(abort(reason)), .closed(reason: reason, failed: true),
            ])
    }

    @Test func `the end of the stream is a failure unless the connection was given back`() {
        var machine = registered()
        #expect(machine.inputEnded() == [.closed(reason: "the connector ended the control stream", failed: true)])
        var done = registered()
        _ = done.received(Golden.unregisterCall)
        _ = done.unregisterAnswered()
        #expect(done.inputEnded() == [.closed(reason: "the connector ended the control stream", failed: false)])
        var closing = registered()
        #expect(
            closing.closeRequested() == [.send(Golden.goodbye), .closed(reason: "rpc: shutdown", failed: false)])
    }
}
