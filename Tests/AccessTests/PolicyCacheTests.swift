import AccessPolicy
import Logging
import Synchronization
import TestKit
import Testing

@testable import Access

/// A store whose answers the test sets, and which can be made to fail or to hold its answer back.
private final class SourceDouble: PolicySource {
    struct Failure: Error {}

    struct State {
        var version = 1
        var hosts: [String] = []
        var isFailing = false
        var isHeld = false
        var versionCalls = 0
        var loadCalls = 0
        var active = 0
        var mostActive = 0
        var held: [CheckedContinuation<Void, Never>] = []
        var watchers: [(calls: Int, continuation: CheckedContinuation<Void, Never>)] = []
    }

    let state = Mutex(State())

    func set(_ change: (inout State) -> Void) { state.withLock { change(&$0) } }

    func open(_ hosts: String...) {
        set {
            $0.hosts = hosts
            $0.version += 1
        }
    }

    /// Lets the calls that are held back go on; later ones too.
    func release() {
        let held = state.withLock { state in
            state.isHeld = false
            defer { state.held = [] }
            return state.held
        }
        for continuation in held { continuation.resume() }
    }

    /// Returns once `version()` was called so many times.
    func waitForCalls(_ calls: Int) async {
        await withCheckedContinuation { continuation in
            let isReady = state.withLock { state in
                if state.versionCalls >= calls { return true }
                state.watchers.append((calls, continuation))
                return false
            }
            if isReady { continuation.resume() }
        }
    }

    func version() async throws -> Int {
        let watchers = state.withLock { state in
            state.versionCalls += 1
            state.active += 1
            state.mostActive = max(state.mostActive, state.active)
            let calls = state.versionCalls
            let ready = state.watchers.filter { $0.calls <= calls }
            state.watchers.removeAll { $0.calls <= calls }
            return ready
        }
        for watcher in watchers { watcher.continuation.resume() }
        defer { set { $0.active -= 1 } }
        await withCheckedContinuation { continuation in
            let isHeld = state.withLock { state in
                if state.isHeld { state.held.append(continuation) }
                return state.isHeld
            }
            if !isHeld { continuation.resume() }
        }
        try Task.checkCancellation()
        return try state.withLock { state in
            if state.isFailing { throw Failure() }
            return state.version
        }
    }

    func load() async throws -> AccessSnapshot {
        try state.withLock { state in
            state.loadCalls += 1
            if state.isFailing { throw Failure() }
            let applications = try state.hosts.map { host in
                AccessApplication(
                    id: host, audience: host, domains: [try ApplicationDomain.parse(host)],
                    policies: [Policy(id: "open", action: .bypass, criteria: Criteria(include: [.everyone]))])
            }
            return AccessSnapshot(configuration: try AccessConfiguration(applications: applications))
        }
    }
}

struct PolicyCacheTests {
    private let clock = ManualClock()
    private let source = SourceDouble()

    private func makeCache(leastPause: Duration = .zero) -> PolicyCache {
        PolicyCache(
            source: source, clock: clock, interval: .milliseconds(250), maximumAge: .seconds(30),
            grace: .seconds(60), leastPause: leastPause,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    /// Runs the loop beside `body`, which starts when the first look is over, and ends it after.
    private func whileRunning(_ cache: PolicyCache, _ body: () async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await cache.run() }
            await clock.waitForSleepers(1)
            try await body()
            group.cancelAll()
        }
    }

    private func tick(_ duration: Duration = .milliseconds(250)) async {
        clock.advance(by: duration)
        await clock.waitForSleepers(1)
    }

    private func isOpen(_ host: String, _ cache: PolicyCache) -> Bool {
        guard case .application = cache.snapshot.configuration.match(authority: host, target: "/") else { return false }
        return true
    }

    @Test func `nothing is open before the first look`() {
        #expect(makeCache().snapshot == .unavailable)
    }

    @Test func `a change is seen at the next look, and nothing is loaded without one`() async throws {
        let cache = makeCache()
        source.open("a.test")
        try await whileRunning(cache) {
            #expect(isOpen("a.test", cache))
            await tick()
            await tick()
            #expect(source.state.withLock(\.loadCalls) == 1)
            #expect(source.state.withLock(\.versionCalls) == 3)
            source.open("b.test")
            #expect(!isOpen("b.test", cache))
            await tick()
            #expect(isOpen("b.test", cache))
            #expect(!isOpen("a.test", cache))
        }
    }

    @Test func `the last policy is served while the source fails, then everything closes, then it recovers`()
        async throws
    {
        let cache = makeCache()
        source.open("a.test")
        try await whileRunning(cache) {
            source.set { $0.isFailing = true }
            await tick(.seconds(30))
            #expect(isOpen("a.test", cache))
            await tick()
            #expect(cache.snapshot == .unavailable)
            source.set { $0.isFailing = false }
            await tick()
            #expect(isOpen("a.test", cache))
            // The version did not change, so what was loaded before is still right.
            #expect(source.state.withLock(\.loadCalls) == 1)
        }
    }

    @Test func `a source that hangs closes the doors as well`() async throws {
        let cache = makeCache()
        source.open("a.test")
        try await whileRunning(cache) {
            source.set { $0.isHeld = true }
            clock.advance(by: .milliseconds(250))
            await source.waitForCalls(2)
            clock.advance(by: .seconds(29))
            #expect(isOpen("a.test", cache))
            clock.advance(by: .seconds(2))
            #expect(cache.snapshot == .unavailable)
            source.release()
            await clock.waitForSleepers(1)
            // The answer is from a look that began 31 seconds ago.
            #expect(cache.snapshot == .unavailable)
            await tick()
            #expect(isOpen("a.test", cache))
        }
    }

    @Test func `a loop that ended closes the doors as well`() async throws {
        let cache = makeCache()
        source.open("a.test")
        try await whileRunning(cache) {}
        #expect(isOpen("a.test", cache))
        clock.advance(by: .seconds(31))
        #expect(cache.snapshot == .unavailable)
    }

    @Test func `a refresh on demand sees what was changed before it, without a loop`() async throws {
        let cache = makeCache()
        source.open("a.test")
        try await cache.refreshNow()
        #expect(isOpen("a.test", cache))
        source.set { $0.isFailing = true }
        await #expect(throws: SourceDouble.Failure.self) { try await cache.refreshNow() }
        #expect(isOpen("a.test", cache))
    }

    @Test func `callers at the same time share one look that began after they called`() async throws {
        let cache = makeCache()
        source.set { $0.isHeld = true }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await cache.refreshNow() }
            await source.waitForCalls(1)
            source.open("late.test")
            for _ in 0..<50 { group.addTask { try await cache.refreshNow() } }
            // All fifty have called once the actor has nothing else to do before our own question.
            while await cache.waiting < 50 { await Task.yield() }
            source.release()
            try await group.waitForAll()
        }
        #expect(isOpen("late.test", cache))
        #expect(source.state.withLock(\.versionCalls) == 2)
        #expect(source.state.withLock(\.mostActive) == 1)
    }

    @Test func `a cancelled leader does not take its followers along`() async throws {
        let cache = makeCache()
        source.open("a.test")
        source.set { $0.isHeld = true }
        try await withThrowingTaskGroup(of: Bool.self) { group in
            group.addTask {
                await withThrowingTaskGroup(of: Void.self) { leader in
                    leader.addTask { try await cache.refreshNow() }
                    await source.waitForCalls(1)
                    leader.cancelAll()
                    while await cache.waiting < 1 { await Task.yield() }
                    source.release()
                    do {
                        try await leader.waitForAll()
                        return false
                    } catch { return error is CancellationError }
                }
            }
            await source.waitForCalls(1)
            group.addTask {
                try await cache.refreshNow()
                return true
            }
            for try await isRight in group { #expect(isRight) }
        }
        #expect(isOpen("a.test", cache))
    }

    @Test func `whoever waits for a look may leave before it ends`() async throws {
        let cache = makeCache()
        source.set { $0.isHeld = true }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await cache.refreshNow() }
            await source.waitForCalls(1)
            await withThrowingTaskGroup(of: Void.self) { waiters in
                for _ in 0..<2 { waiters.addTask { try await cache.refreshNow() } }
                while await cache.waiting < 2 { await Task.yield() }
                waiters.cancelAll()
                while let result = await waiters.nextResult() {
                    #expect(throws: CancellationError.self) { try result.get() }
                }
            }
            source.release()
            try await group.waitForAll()
        }
        // Nobody holds the turn.
        try await cache.refreshNow()
        #expect(source.state.withLock(\.versionCalls) == 2)
    }

    @Test func `two looks never follow each other too closely, and whoever comes in the pause shares the next`()
        async throws
    {
        let cache = makeCache(leastPause: .milliseconds(20))
        try await cache.refreshNow()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<50 { group.addTask { try await cache.refreshNow() } }
            await clock.waitForSleepers(1)
            while await cache.sharing < 49 { await Task.yield() }
            #expect(source.state.withLock(\.versionCalls) == 1)
            clock.advance(by: .milliseconds(20))
            try await group.waitForAll()
        }
        #expect(source.state.withLock(\.versionCalls) == 2)
    }

    @Test func `what was admitted outlives the policy by a grace`() async throws {
        let cache = makeCache()
        #expect(!cache.isLost)
        try await cache.refreshNow()
        clock.advance(by: .seconds(90))
        #expect(!cache.snapshot.isAvailable && !cache.isLost)
        clock.advance(by: .milliseconds(1))
        #expect(cache.isLost)
        try await cache.refreshNow()
        #expect(!cache.isLost)
    }

    @Test func `cancelling the loop ends it`() async throws {
        let cache = makeCache()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await cache.run() }
            await clock.waitForSleepers(1)
            group.cancelAll()
            try await group.waitForAll()
        }
        #expect(clock.sleepers == 0)
    }
}

struct RefreshScheduleTests {
    @Test func `its life as a transcript`() {
        var schedule = RefreshSchedule(interval: .seconds(1), maximumAge: .seconds(10), grace: .seconds(5))
        #expect(!schedule.isFresh(at: .zero))
        #expect(schedule.failed(at: .seconds(1)) == .reportClosed)
        #expect(schedule.failed(at: .seconds(2)) == .none)
        #expect(schedule.versionRead(7) == .load)
        #expect(schedule.confirmed(version: 7, startedAt: .seconds(3)) == .reportRecovered)
        #expect(schedule.versionRead(7) == .keep)
        #expect(schedule.confirmed(version: 7, startedAt: .seconds(4)) == .none)
        #expect(schedule.versionRead(6) == .load)
        #expect(schedule.failed(at: .seconds(5)) == .reportFailing)
        #expect(schedule.failed(at: .seconds(14)) == .none)
        #expect(schedule.isFresh(at: .seconds(14)))
        #expect(!schedule.isFresh(at: .milliseconds(14_001)))
        #expect(schedule.failed(at: .seconds(15)) == .reportClosed)
        #expect(schedule.failed(at: .seconds(19)) == .none)
        #expect(schedule.failed(at: .milliseconds(19_001)) == .reportLost)
        #expect(schedule.failed(at: .seconds(20)) == .none)
        #expect(schedule.confirmed(version: 8, startedAt: .seconds(21)) == .reportRecovered)
        #expect(schedule.confirmed(version: 8, startedAt: .seconds(12)) == .none)
        #expect(schedule.isFresh(at: .seconds(31)))
    }
}

struct ManualClockTests {
    @Test func `sleepers wake when their time comes`() async throws {
        let clock = ManualClock()
        try await withThrowingTaskGroup(of: Int.self) { group in
            for seconds in [3, 1, 2] {
                group.addTask {
                    try await clock.sleep(for: .seconds(seconds))
                    return seconds
                }
            }
            await clock.waitForSleepers(3)
            for expected in 1...3 {
                #expect(clock.nextWake == .seconds(1))
                clock.advance(by: .seconds(1))
                let woken = try await group.next()
                #expect(woken == expected)
                #expect(clock.sleepers == 3 - expected)
            }
        }
        #expect(clock.now.offset == .seconds(3))
    }

    @Test func `a cancelled sleeper wakes with an error`() async {
        let clock = ManualClock()
        await withTaskGroup(of: Bool.self) { group in
            group.addTask {
                do {
                    try await clock.sleep(for: .seconds(1))
                    return false
                } catch { return error is CancellationError }
            }
            await clock.waitForSleepers(1)
            group.cancelAll()
            #expect(await group.next() == true)
        }
        #expect(clock.sleepers == 0)
    }
}
