import EdgeTransport
import Fuzzing
import Testing

@testable import Connector

struct ConnectionSlotTests {
    private func refusal(_ reason: String, retryable: Bool = false, after: Duration? = nil) -> SessionEnd {
        .refused(.init(reason: reason, retryable: retryable, retryAfter: after))
    }

    private func wait(_ action: ConnectionSlot.StateMachine.Action) throws -> ConnectionSlot.Wait {
        guard case .wait(let wait) = action else { throw NoWait(action: action) }
        return wait
    }

    private struct NoWait: Error { let action: ConnectionSlot.StateMachine.Action }

    @Test func `a tunnel that never registered gives up after three final refusals`() throws {
        var random = SeededGenerator(seed: 3)
        var slot = ConnectionSlot.StateMachine()
        for _ in 0..<2 {
            _ = try wait(slot.sessionEnded(refusal("Unauthorized: wrong secret"), lived: nil, using: &random))
        }
        #expect(
            slot.sessionEnded(refusal("Unauthorized: wrong secret"), lived: nil, using: &random)
                == .giveUp(reason: "Unauthorized: wrong secret"))
    }

    @Test func `a tunnel that was registered keeps trying, and so does one whose edge says that asking again helps`()
        throws
    {
        var random = SeededGenerator(seed: 3)
        var slot = ConnectionSlot.StateMachine()
        _ = slot.sessionEnded(.lost("gone"), lived: .seconds(60), using: &random)
        var hopeful = ConnectionSlot.StateMachine()
        for _ in 0..<20 {
            _ = try wait(slot.sessionEnded(refusal("Unauthorized"), lived: nil, using: &random))
            _ = try wait(hopeful.sessionEnded(refusal("busy", retryable: true), lived: nil, using: &random))
        }
    }

    @Test func `a duplicate connection goes elsewhere, another refusal does not`() throws {
        var random = SeededGenerator(seed: 3)
        var slot = ConnectionSlot.StateMachine()
        #expect(try wait(slot.sessionEnded(refusal("EDUPCONN"), lived: nil, using: &random)).elsewhere)
        #expect(try !wait(slot.sessionEnded(refusal("busy"), lived: nil, using: &random)).elsewhere)
    }

    @Test func `the time an edge asks for passes whatever the news`() throws {
        var random = SeededGenerator(seed: 3)
        var slot = ConnectionSlot.StateMachine()
        let pause = try wait(slot.sessionEnded(refusal("later", after: .seconds(45)), lived: nil, using: &random))
        #expect(pause.duration == .seconds(45))
        #expect(pause.atLeast == .seconds(45))
    }

    @Test func `a failed dial or an edge that does nothing is left, a lost link stays unless its way is dead`() throws {
        var random = SeededGenerator(seed: 3)
        var slot = ConnectionSlot.StateMachine()
        #expect(try wait(slot.dialFailed(LinkError(.dialFailed, "refused"), using: &random)).elsewhere)
        #expect(try !wait(slot.sessionEnded(.lost("reset"), lived: .seconds(60), using: &random)).elsewhere)
        #expect(
            try wait(slot.sessionEnded(.lost("silent", elsewhere: true), lived: .seconds(60), using: &random)).elsewhere
        )
        #expect(try wait(slot.sessionEnded(.lost("mute"), lived: nil, using: &random)).elsewhere)
    }

    @Test func `a certificate nobody trusts is asked for at the pace of a refusal`() throws {
        var random = SeededGenerator(seed: 3)
        var slot = ConnectionSlot.StateMachine()
        let pause = try wait(slot.dialFailed(LinkError(.certificateRefused, "stranger"), using: &random))
        #expect(pause.atLeast == .seconds(1))
    }

    @Test func `a dial that the network's change made stale is begun again after the floor`() throws {
        var random = SeededGenerator(seed: 3)
        var slot = ConnectionSlot.StateMachine()
        for _ in 0..<10 { _ = slot.dialFailed(LinkError(.dialFailed, "refused"), using: &random) }
        let before = slot.backoff
        let pause = try wait(slot.dialFailed(LinkError(.networkChanged, "changed"), using: &random))
        #expect(slot.dialWasStale)
        #expect(pause.duration == Backoff.Pace.path.floor)
        #expect(!pause.elsewhere)
        #expect(slot.backoff == before)
    }

    @Test func `attempts are counted from the last registration`() {
        var random = SeededGenerator(seed: 3)
        var slot = ConnectionSlot.StateMachine()
        for _ in 0..<300 { _ = slot.dialFailed(LinkError(.dialFailed, "refused"), using: &random) }
        #expect(slot.previousAttempts == 255)
        _ = slot.sessionEnded(.lost("gone"), lived: .seconds(1), using: &random)
        #expect(slot.previousAttempts == 1)
    }

    @Test func `a link that comes and goes is asked more slowly, until one lasts`() throws {
        for seed in UInt64(0)..<2000 {
            var random = SeededGenerator(seed: seed)
            var slot = ConnectionSlot.StateMachine()
            for _ in 0..<2 { _ = slot.sessionEnded(.lost("gone"), lived: .seconds(1), using: &random) }
            for _ in 0..<20 {
                let pause = try wait(slot.sessionEnded(.lost("gone"), lived: .seconds(1), using: &random))
                #expect(pause.atLeast == Backoff.Pace.flapping.floor && pause.elsewhere, "seed \(seed)")
                #expect(pause.duration <= .seconds(8), "seed \(seed)")
            }
            let pause = try wait(slot.sessionEnded(.lost("gone"), lived: .seconds(11), using: &random))
            #expect(pause.duration <= Backoff.Pace.path.start && !pause.elsewhere, "seed \(seed)")
        }
    }

    @Test func `over thousands of seeds no slot dials more often than the floor allows, nor rests too long`() throws {
        for seed in UInt64(0)..<5000 {
            var random = SeededGenerator(seed: seed)
            var slot = ConnectionSlot.StateMachine()
            _ = slot.sessionEnded(.lost("first"), lived: .seconds(1), using: &random)
            for _ in 0..<40 {
                let action =
                    switch Int.random(in: 0..<7, using: &random) {
                    case 0: slot.dialFailed(LinkError(.dialFailed, "refused"), using: &random)
                    case 1: slot.dialFailed(LinkError(.networkChanged, "changed"), using: &random)
                    case 2: slot.sessionEnded(.lost("mute"), lived: nil, using: &random)
                    case 3: slot.sessionEnded(.lost("gone"), lived: .milliseconds(5), using: &random)
                    case 4: slot.sessionEnded(.lost("gone"), lived: .seconds(100), using: &random)
                    case 5: slot.sessionEnded(refusal("EDUPCONN"), lived: nil, using: &random)
                    default:
                        slot.sessionEnded(
                            refusal("later", after: .seconds(Int.random(in: 0...1000, using: &random))), lived: nil,
                            using: &random)
                    }
                let pause = try wait(action)
                #expect(pause.atLeast >= Backoff.Pace.path.floor, "seed \(seed)")
                #expect(pause.duration >= pause.atLeast && pause.duration <= Backoff.longestHint, "seed \(seed)")
            }
        }
    }

    @Test func `a drained session ends the slot`() {
        var random = SeededGenerator(seed: 3)
        var slot = ConnectionSlot.StateMachine()
        #expect(slot.sessionEnded(.drained, lived: nil, using: &random) == .finish)
    }
}
