/// What systemd hears about a service.
package enum ServiceNotice {
    /// Decides what is told, and when. Lives as long as the service runs.
    package struct StateMachine: Sendable {
        package enum State: Equatable, Sendable {
            case starting
            case ready
            case reloading
            case stopping
        }

        package enum Action: Equatable, Sendable {
            case ready(status: String)
            case status(String)
            case reloading
            case stopping
            case watchdog
            /// Ask for more time to start.
            case extendTimeout
        }

        package private(set) var state = State.starting
        private var needed: Int
        private var ready = 0
        private var work: String
        /// Why the configuration file as it is now does not count.
        private var refusal: String?
        private var told = ""

        /// - Parameters:
        ///   - needed: how many parts must work for the service to be ready.
        ///   - status: what it does until then.
        package init(needed: Int, status: String) {
            self.needed = needed
            work = status
        }

        private var status: String { refusal.map { "\(work); the old configuration serves: \($0)" } ?? work }

        package mutating func started() -> [Action] {
            needed == 0 ? becomeReady() : [.extendTimeout] + tell()
        }

        /// - Parameter ready: how many parts work now.
        package mutating func changed(ready: Int, status: String) -> [Action] {
            work = status
            self.ready = ready
            guard state == .starting, ready >= needed else { return tell() }
            return becomeReady()
        }

        /// Another number of parts makes the service ready; matters only until it is.
        package mutating func needChanged(to needed: Int) -> [Action] {
            self.needed = needed
            return changed(ready: ready, status: work)
        }

        package mutating func reloadBegan() -> [Action] {
            // Before the start is over there is nothing that systemd could see reload.
            guard state == .ready else { return [] }
            state = .reloading
            return [.reloading]
        }

        /// - Parameter refusal: why nothing changed; nil when the new configuration is in force.
        package mutating func reloadEnded(refusal: String?) -> [Action] {
            self.refusal = refusal
            return state == .reloading ? becomeReady() : tell()
        }

        /// Everything that must run has answered in time.
        package mutating func probeAnswered() -> [Action] {
            state == .starting ? [.watchdog, .extendTimeout] : [.watchdog]
        }

        package mutating func stopRequested() -> [Action] {
            guard state != .stopping else { return [] }
            state = .stopping
            return [.stopping]
        }

        private mutating func becomeReady() -> [Action] {
            state = .ready
            told = status
            return [.ready(status: status)]
        }

        private mutating func tell() -> [Action] {
            guard status != told else { return [] }
            told = status
            return [.status(status)]
        }
    }
}
