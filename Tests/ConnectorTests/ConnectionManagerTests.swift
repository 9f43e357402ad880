import EdgeTransport
import Fuzzing
import Logging
import NIOCore
import ServiceHost
import Synchronization
import TestKit
import Testing

@testable import Connector

/// The manager over edges whose faults are drawn from a seed; every run ends, whatever state it is in.
@Suite(.timeLimit(.minutes(3))) struct ConnectionManagerTests {
    private enum Ending { case cancel, drain }

    /// Host changes that a test sends.
    private final class Host: Sendable {
        let isWatched = Gate()
        private let tell = Mutex<(@Sendable (HostChange) -> Void)?>(nil)

        func watch(_ report: @escaping @Sendable (HostChange) -> Void) async {
            tell.withLock { $0 = report }
            isWatched.open()
            await Gate().wait()
        }

        func change() { tell.withLock { $0 }?(.network) }
    }

    private static let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    private static func edges(_ count: Int) -> EdgeAddresses {
        let names = (0..<count).map { EdgeEndpoint.name("edge\($0).test", port: 7844) }
        return .fixed(names.map { .init(endpoints: [$0]) }, isFinal: true)
    }

    private static func manager(
        _ edge: SimulatedEdge, _ names: SimulatedNames?, _ clock: ManualClock, _ host: Host, count: Int
    ) -> ConnectionManager {
        ConnectionManager(
            haConnections: count, clock: clock, logger: logger, report: { edge.reported($0) },
            watchHost: { await host.watch($0) },
            discover: { _ in try await names?.look() ?? edges(count) }, connect: { try await edge.connect($0) })
    }

    /// Lets time pass to a seeded number of wake-ups, with changes of the network in between, then ends the run.
    private static func live(seed: UInt64, ending: Ending, withNames: Bool = false) async -> SimulatedEdge {
        var random = SeededGenerator(seed: seed)
        let clock = ManualClock()
        let edge = SimulatedEdge(seed: seed, clock: clock)
        let host = Host()
        let names = withNames ? SimulatedNames(seed: seed, clock: clock) : nil
        let manager = manager(edge, names, clock, host, count: Int.random(in: 1...4, using: &random))
        await withTaskGroup { tasks in
            tasks.addTask { try? await manager.run() }
            for _ in 0..<Int.random(in: 0...30, using: &random) {
                await clock.waitForSleepers(1)
                if Int.random(in: 0..<4, using: &random) == 0 { host.change() }
                // A jump passes many deadlines at once, as after a sleep.
                let jump: Duration = Int.random(in: 0..<10, using: &random) == 0 ? .seconds(400) : .zero
                if let next = clock.nextWake { clock.advance(by: next + jump) }
            }
            switch ending {
            case .cancel: tasks.cancelAll()
            case .drain: manager.drain()
            }
        }
        #expect(names?.broken ?? [] == [], "seed \(seed)")
        return edge
    }

    @Test func `over two thousand seeds there is one dial per slot, after the floor, and cancelling ends every state`()
        async
    {
        for seed in UInt64(0)..<2000 {
            let edge = await Self.live(seed: seed, ending: .cancel)
            #expect(edge.broken == [], "seed \(seed)")
        }
    }

    @Test func `over two thousand seeds a drain ends every state, with nothing left that counts as ready`() async {
        for seed in UInt64(10_000)..<12_000 {
            let edge = await Self.live(seed: seed, ending: .drain)
            #expect(edge.broken == [], "seed \(seed)")
            #expect(edge.readyConnections == 0, "seed \(seed)")
        }
    }

    @Test func `the same over names that do not resolve, hang and change, cancelled`() async {
        for seed in UInt64(20_000)..<21_000 {
            let edge = await Self.live(seed: seed, ending: .cancel, withNames: true)
            #expect(edge.broken == [], "seed \(seed)")
        }
    }

    @Test func `the same over names that do not resolve, hang and change, drained`() async {
        for seed in UInt64(30_000)..<31_000 {
            let edge = await Self.live(seed: seed, ending: .drain, withNames: true)
            #expect(edge.broken == [], "seed \(seed)")
            #expect(edge.readyConnections == 0, "seed \(seed)")
        }
    }

    @Test func `a connector whose names do not resolve says so, and serves once they do`() async {
        let clock = ManualClock()
        let host = Host()
        let lookups = Mutex(0)
        let causes = Mutex<[String]>([])
        let dialled = Gate()
        let dialledAt = Mutex(Duration.zero)
        let manager = ConnectionManager(
            haConnections: 1, clock: clock, logger: Self.logger,
            report: { event in
                if case .reconnecting(_, let cause) = event { causes.withLock { $0.append(cause) } }
            }, watchHost: { await host.watch($0) },
            discover: { _ in
                let count = lookups.withLock { count in
                    count += 1
                    return count
                }
                guard count > 3 else { throw LinkError(.edgeUnknown, "DNS is dead") }
                return Self.edges(1)
            },
            connect: { _ in
                dialledAt.withLock { $0 = clock.now.offset }
                dialled.open()
                // Somebody always sleeps, so that the test never waits in vain.
                try? await clock.sleep(for: .seconds(1_000_000))
                return .drained
            })
        await withTaskGroup { tasks in
            tasks.addTask { try? await manager.run() }
            while !dialled.isOpen {
                await clock.waitForSleepers(1)
                if !dialled.isOpen, let next = clock.nextWake { clock.advance(by: next) }
            }
            tasks.cancelAll()
        }
        #expect(causes.withLock { $0 } == ["DNS is dead", "DNS is dead", "DNS is dead"])
        #expect(lookups.withLock { $0 } == 4)
        // Three waits between four lookups.
        #expect(dialledAt.withLock { $0 } >= AddressLookups.pace.floor * 3)
    }

    /// Two connections to an edge whose IPv6 fails at first, and which has one address of IPv4: one of the two gets that.
    ///
    /// - Parameter helping: does something for the other, which waits without an address.
    /// - Returns: when that one dialled.
    private static func secondDial(helping help: (ManualClock, Host) -> Void) async throws -> Duration {
        let clock = ManualClock()
        let host = Host()
        let dialled = Gate()
        let dialledAt = Mutex(Duration.zero)
        let isHelped = Mutex(false)
        let entries = try ["2001:db8::1", "2001:db8::2", "192.0.2.1"].map { text in
            EdgeAddresses.Entry(endpoints: [.address(try SocketAddress(ipAddress: text, port: 7844))])
        }
        let manager = ConnectionManager(
            haConnections: 2, clock: clock, logger: logger, report: { _ in }, watchHost: { await host.watch($0) },
            discover: { _ in EdgeAddresses(regions: [entries, []], isStatic: false) },
            connect: { attempt in
                guard attempt.edge.host != "192.0.2.1" else {
                    attempt.report(.connected(index: attempt.index, location: "here", address: attempt.edge.host))
                    await Gate().wait()
                    return .drained
                }
                guard isHelped.withLock({ $0 }) else { throw LinkError(.dialFailed, "nobody is there") }
                dialledAt.withLock { $0 = clock.now.offset }
                dialled.open()
                // Somebody always sleeps, so that the test never waits in vain.
                try? await clock.sleep(for: .seconds(1_000_000))
                return .drained
            })
        await withTaskGroup { tasks in
            tasks.addTask { try? await manager.run() }
            await host.isWatched.wait()
            while !dialled.isOpen {
                await clock.waitForSleepers(1)
                guard !dialled.isOpen, let next = clock.nextWake else { break }
                if next > .seconds(60) {
                    isHelped.withLock { $0 = true }
                    help(clock, host)
                    await dialled.wait()
                } else {
                    clock.advance(by: next)
                }
            }
            tasks.cancelAll()
        }
        return dialledAt.withLock { $0 }
    }

    @Test func `a slot without an address goes on when the network changes`() async throws {
        let dialled = try await Self.secondDial { _, host in host.change() }
        #expect(dialled < .seconds(60))
    }

    @Test func `a slot without an address goes on when IPv6 comes back`() async throws {
        let dialled = try await Self.secondDial { clock, _ in
            if let next = clock.nextWake { clock.advance(by: next) }
        }
        #expect(dialled >= EdgeAddressPool.timeWithoutIPv6)
    }

    @Test func `a drain does not wait for a name`() async {
        let clock = ManualClock()
        let asked = Gate()
        let manager = ConnectionManager(
            haConnections: 2, clock: clock, logger: Self.logger, report: { _ in },
            watchHost: { _ in await Gate().wait() },
            discover: { _ in
                asked.open()
                await Gate().wait()
                throw CancellationError()
            }, connect: { _ in .drained })
        await withTaskGroup { tasks in
            tasks.addTask { try? await manager.run() }
            await asked.wait()
            manager.drain()
        }
    }

    @Test func `a change of the network ends the wait, but not before the floor`() async {
        let clock = ManualClock()
        let host = Host()
        let dials = Mutex<[Duration]>([])
        let third = Gate()
        let manager = ConnectionManager(
            haConnections: 1, clock: clock, logger: Self.logger, report: { _ in },
            watchHost: { await host.watch($0) }, discover: { _ in Self.edges(1) },
            connect: { _ in
                let count = dials.withLock { dials in
                    dials.append(clock.now.offset)
                    return dials.count
                }
                if count == 3 { third.open() }
                throw LinkError(.certificateRefused, "stranger")
            })
        await withTaskGroup { tasks in
            tasks.addTask { try? await manager.run() }
            await host.isWatched.wait()
            for _ in 0..<2 {
                await clock.waitForSleepers(1)
                // Told again and again while the floor passes: once it has, the wait is over.
                for _ in 0..<10 {
                    host.change()
                    clock.advance(by: .milliseconds(100))
                }
            }
            await third.wait()
            tasks.cancelAll()
        }
        #expect(dials.withLock { $0 } == [.zero, .seconds(1), .seconds(2)])
    }

    @Test func `the others do not wait for a first connection that never comes`() async {
        let clock = ManualClock()
        let started = Mutex<Set<UInt8>>([])
        let all = Gate()
        let manager = ConnectionManager(
            haConnections: 3, clock: clock, logger: Self.logger,
            report: { _ in }, watchHost: { _ in await Gate().wait() }, discover: { _ in Self.edges(3) },
            connect: { attempt in
                let count = started.withLock { started in
                    started.insert(attempt.index)
                    return started.count
                }
                if count == 3 { all.open() }
                await Gate().wait()
                return .drained
            })
        await withTaskGroup { tasks in
            tasks.addTask { try? await manager.run() }
            await clock.waitForSleepers(2)
            #expect(started.withLock { $0.count } <= 1)
            clock.advance(by: ConnectionManager.firstSlotDeadline)
            await clock.waitForSleepers(1)
            clock.advance(by: ConnectionManager.startInterval)
            await all.wait()
            tasks.cancelAll()
        }
    }

    @Test func `a refusal for good ends the run with the edge's reason`() async {
        let clock = ManualClock()
        let manager = ConnectionManager(
            haConnections: 1, clock: clock, logger: Self.logger, report: { _ in },
            watchHost: { _ in await Gate().wait() }, discover: { _ in Self.edges(1) },
            connect: { _ in .refused(.init(reason: "Unauthorized: wrong secret", retryable: false, retryAfter: nil)) })
        let failure = await withTaskGroup(of: ConnectorError?.self) { tasks in
            tasks.addTask {
                do {
                    try await manager.run()
                    return nil
                } catch {
                    return error as? ConnectorError
                }
            }
            // Two waits, each with its floor and what is beyond.
            for _ in 0..<4 {
                await clock.waitForSleepers(1)
                clock.advance(by: .seconds(40))
            }
            return await tasks.next() ?? nil
        }
        #expect(failure?.code == .refusedByEdge)
        #expect(failure?.message.contains("wrong secret") == true)
    }
}
