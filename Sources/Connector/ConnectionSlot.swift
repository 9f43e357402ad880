import EdgeTransport

/// What one HA connection does between its sessions.
enum ConnectionSlot {
    /// A pause before the next attempt.
    struct Wait: Equatable {
        var duration: Duration
        /// What must pass even when news of the network, or of another connection, ends the wait.
        var atLeast: Duration
        /// Whether to try another address, if there is one.
        var elsewhere: Bool
        var cause: String
    }

    /// Decides after each session: how long to wait, whether to go elsewhere, when to give up.
    struct StateMachine {
        enum Action: Equatable {
            /// Wait, then try again.
            case wait(Wait)
            /// The edge will not have this tunnel; nothing a retry could change.
            case giveUp(reason: String)
            /// Ended as asked.
            case finish
        }

        /// Refusals in a row that end a slot which never registered. A few, because a tunnel just created may not be
        /// known everywhere yet.
        static let refusalsBeforeGivingUp = 3
        /// A connection that served this long was a good one.
        static let lasting = Duration.seconds(10)
        /// Short-lived connections in a row before the slot takes more time, and other addresses.
        static let flapsBeforeSlowing = 3

        private(set) var backoff: Backoff
        /// Attempts since the last registration, as told to the edge.
        private(set) var previousAttempts: UInt8 = 0
        /// The last dial was given up for a change of the network. The next one is left to end: on a host whose network
        /// never rests, none would.
        private(set) var dialWasStale = false
        private var everRegistered = false
        private var refusalsInARow = 0
        private var flapsInARow = 0

        init(backoff: Backoff = Backoff()) {
            self.backoff = backoff
        }

        mutating func dialFailed(_ error: LinkError, using random: inout some RandomNumberGenerator) -> Action {
            dialWasStale = error.code == .networkChanged
            // A dial that began on the network that was says nothing about the one that is.
            if dialWasStale {
                return wait(Backoff.Pace.path.floor, .path, elsewhere: false, error.description)
            }
            countAttempt()
            let pace: Backoff.Pace = error.code == .certificateRefused ? .refusal : .path
            return wait(
                backoff.wait(pace, using: &random), pace, elsewhere: error.recovery == .retryElsewhere,
                error.description)
        }

        /// - Parameter lived: since its registration; nil when it never registered. An edge that lets us in and then does
        ///   nothing is left for another; one that served us is the first to ask again.
        mutating func sessionEnded(
            _ end: SessionEnd, lived: Duration?, using random: inout some RandomNumberGenerator
        ) -> Action {
            dialWasStale = false
            if let lived { registered(for: lived) }
            switch end {
            case .drained:
                return .finish
            case .lost(let cause, let elsewhere):
                countAttempt()
                let isFlapping = flapsInARow >= Self.flapsBeforeSlowing
                let pace: Backoff.Pace = isFlapping ? .flapping : .path
                return wait(
                    backoff.wait(pace, using: &random), pace, elsewhere: elsewhere || lived == nil || isFlapping, cause)
            case .refused(let refusal):
                countAttempt()
                refusalsInARow += 1
                let isFinal = !refusal.retryable && !refusal.isDuplicate && !everRegistered
                guard !isFinal || refusalsInARow < Self.refusalsBeforeGivingUp else {
                    return .giveUp(reason: refusal.reason)
                }
                let pause = backoff.wait(.refusal, hint: refusal.retryAfter, using: &random)
                let wish = min(refusal.retryAfter ?? .zero, Backoff.longestHint)
                return .wait(
                    Wait(
                        duration: pause, atLeast: max(wish, Backoff.Pace.refusal.floor),
                        elsewhere: refusal.isDuplicate, cause: "the edge refused: \(refusal.reason)"))
            }
        }

        private mutating func registered(for lived: Duration) {
            everRegistered = true
            refusalsInARow = 0
            previousAttempts = 0
            if lived >= Self.lasting {
                flapsInARow = 0
                backoff.connectionLasted()
            } else {
                flapsInARow += 1
            }
        }

        private mutating func countAttempt() {
            if previousAttempts < .max { previousAttempts += 1 }
        }

        private func wait(_ duration: Duration, _ pace: Backoff.Pace, elsewhere: Bool, _ cause: String) -> Action {
            .wait(Wait(duration: duration, atLeast: pace.floor, elsewhere: elsewhere, cause: cause))
        }
    }
}
