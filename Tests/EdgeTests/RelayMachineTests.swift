import FoundationEssentials
import Fuzzing
import NIOCore
import Testing

@testable import Edge

/// On which link a request is tried, and when again on another one.
struct RelayMachineTests {
    private typealias Machine = OriginRelay.StateMachine

    private let links = (0..<6).map { _ in UUID() }
    private let start = NIODeadline.uptimeNanoseconds(1)

    private func machine(_ method: String = "GET") -> Machine {
        Machine(method: method, patience: .seconds(2))
    }

    @Test(arguments: ["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"])
    func `an idempotent request goes to the next link when its own ends`(method: String) {
        var machine = machine(method)
        #expect(machine.started(links: links, now: start) == .open(links[0]))
        #expect(machine.failed(.cut, canRepeat: true, links: links, now: start) == .open(links[1]))
        #expect(machine.isRepetition)
        machine.answerBegan()
        #expect(machine.failed(.cut, canRepeat: true, links: links, now: start) == .none)
        #expect(machine.state == .answered)
    }

    @Test(arguments: ["POST", "PATCH", "CONNECT", "get"])
    func `what may have been done is not done again`(method: String) {
        var machine = machine(method)
        _ = machine.started(links: links, now: start)
        #expect(machine.failed(.cut, canRepeat: true, links: links, now: start) == .giveUp(.uncertain))
        #expect(machine.failed(.untouched, canRepeat: true, links: links, now: start) == .none)
    }

    @Test func `what nobody has begun with goes to the next link, whatever it is`() {
        var machine = machine("POST")
        _ = machine.started(links: links, now: start)
        #expect(machine.failed(.untouched, canRepeat: true, links: links, now: start) == .open(links[1]))
        #expect(machine.failed(.gone, canRepeat: true, links: links, now: start) == .open(links[2]))
        #expect(machine.failed(.busy, canRepeat: true, links: links, now: start) == .open(links[3]))
        #expect(machine.failed(.cut, canRepeat: true, links: links, now: start) == .giveUp(.uncertain))
    }

    @Test func `a body that is not at hand any more cannot be sent again`() {
        var machine = machine("PUT")
        _ = machine.started(links: links, now: start)
        #expect(machine.failed(.cut, canRepeat: false, links: links, now: start) == .giveUp(.failed))
    }

    @Test func `full links are passed over, and no wait empties them`() {
        var machine = machine()
        #expect(machine.started(links: Array(links[..<2]), now: start) == .open(links[0]))
        #expect(machine.failed(.busy, canRepeat: true, links: Array(links[..<2]), now: start) == .open(links[1]))
        #expect(machine.failed(.busy, canRepeat: true, links: Array(links[..<2]), now: start) == .giveUp(.busy))
    }

    @Test func `the end of one stream is the answer`() {
        var machine = machine()
        _ = machine.started(links: links, now: start)
        #expect(machine.failed(.refused, canRepeat: true, links: links, now: start) == .giveUp(.failed))
    }

    @Test func `a connector that comes back within two seconds serves the request`() {
        var machine = machine()
        _ = machine.started(links: [links[0]], now: start)
        #expect(machine.failed(.cut, canRepeat: true, links: [links[0]], now: start) == .wait)
        #expect(machine.waited(canRepeat: true, links: [], now: start + .seconds(1)) == .wait)
        #expect(machine.waited(canRepeat: true, links: [links[1]], now: start + .seconds(1)) == .open(links[1]))
        // The second loss has what is left of the patience.
        #expect(machine.failed(.cut, canRepeat: true, links: [], now: start + .milliseconds(1500)) == .wait)
        #expect(machine.waited(canRepeat: true, links: [], now: start + .seconds(2)) == .giveUp(.failed))
    }

    @Test func `a request that comes while there is no link waits as long for one`() {
        var machine = machine("POST")
        #expect(machine.started(links: [], now: start) == .wait)
        #expect(!machine.isRepetition)
        #expect(machine.waited(canRepeat: true, links: [links[0]], now: start + .seconds(1)) == .open(links[0]))
        var unlucky = self.machine()
        _ = unlucky.started(links: [], now: start)
        #expect(unlucky.waited(canRepeat: true, links: [], now: start + .seconds(2)) == .giveUp(.absent))
    }

    @Test func `a silent link is left only for another one`() {
        var machine = machine()
        _ = machine.started(links: [links[0]], now: start)
        #expect(machine.linkFellSilent(canRepeat: true, links: [], now: start) == .none)
        #expect(machine.linkFellSilent(canRepeat: true, links: [links[0]], now: start) == .none)
        #expect(machine.linkFellSilent(canRepeat: false, links: [links[1]], now: start) == .none)
        #expect(machine.linkFellSilent(canRepeat: true, links: [links[1]], now: start) == .open(links[1]))
    }

    @Test(arguments: ["POST", "PUT", "DELETE"])
    func `what changes something stays with a silent link until that has ended`(method: String) {
        var machine = machine(method)
        _ = machine.started(links: links, now: start)
        #expect(machine.linkFellSilent(canRepeat: true, links: links, now: start) == .none)
        let isIdempotent = method != "POST"
        #expect(
            machine.failed(.cut, canRepeat: true, links: links, now: start)
                == (isIdempotent ? .open(links[1]) : .giveUp(.uncertain)))
    }

    @Test func `the number of tries is bounded`() {
        var machine = machine()
        var action = machine.started(links: links, now: start)
        var opened = 0
        while case .open = action {
            opened += 1
            action = machine.failed(.cut, canRepeat: true, links: links, now: start)
        }
        #expect(opened == Machine.mostTries)
        #expect(action == .giveUp(.failed))
    }

    @Test func `whatever fails, a request has one end and is not done twice unless it may be`() {
        for seed in 0..<5000 { run(seed: UInt64(seed)) }
    }

    /// Links come and go in any order; what must hold for each request does.
    private func run(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let isIdempotent = Bool.random(using: &random)
        var machine = machine(isIdempotent ? "GET" : "POST")
        var now = start
        var present = Array(links[..<Int.random(in: 1...4, using: &random)])
        var action = machine.started(links: present, now: now)
        var opened: Set<UUID> = []
        // Tries after which the request may have been carried out.
        var done = 0
        var ends = 0
        for _ in 0..<200 where ends == 0 {
            now = now + .milliseconds(Int64.random(in: 0...400, using: &random))
            if Bool.random(using: &random) { present.append(UUID()) }
            if Bool.random(using: &random), !present.isEmpty { present.removeFirst() }
            let canRepeat = Int.random(in: 0..<8, using: &random) > 0
            func fail(_ failure: Machine.Failure) {
                if failure == .cut { done += 1 }
                action = machine.failed(failure, canRepeat: canRepeat, links: present, now: now)
            }
            switch action {
            case .open(let link):
                #expect(opened.insert(link).inserted, "seed \(seed)")
                switch Int.random(in: 0..<7, using: &random) {
                case 0:
                    machine.answerBegan()
                    done += 1
                    ends += 1
                case 1: fail(.busy)
                case 2: fail(.untouched)
                case 3: fail(.gone)
                case 4:
                    let elsewhere = machine.linkFellSilent(canRepeat: canRepeat, links: present, now: now)
                    if elsewhere == .none { fail(.cut) } else { (action, done) = (elsewhere, done + 1) }
                default: fail(.cut)
                }
            case .wait: action = machine.waited(canRepeat: canRepeat, links: present, now: now)
            case .giveUp: ends += 1
            case .none: Issue.record("seed \(seed): nothing follows in \(machine.state)")
            }
        }
        #expect(ends == 1, "seed \(seed)")
        #expect(isIdempotent || done <= 1, "seed \(seed)")
        #expect(machine.failed(.untouched, canRepeat: true, links: links, now: now) == .none)
        #expect(machine.waited(canRepeat: true, links: links, now: now) == .none)
    }
}
