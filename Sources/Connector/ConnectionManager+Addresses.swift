import EdgeTransport
import Logging

/// Where the connections get their addresses: one task looks them up, one lookup at a time, whenever a slot asks; slots
/// wait only while they know none.
extension ConnectionManager {
    /// The address for the next attempt; nil once the drain has begun.
    ///
    /// - Throws: `LinkError` when no address is known and a lookup failed, `CancellationError`.
    func address(forConnection index: UInt8) async throws -> EdgeEndpoint? {
        var random = SystemRandomNumberGenerator()
        while !draining.isOpen {
            try Task.checkCancellation()
            let answer = addressesChanged.next
            let now = began.elapsed ?? .zero
            let choice = pool.address(forConnection: Int(index), at: now, using: &random)
            if lookups.request(addressFailed: choice?.hasFailed) { lookupWanted.beat() }
            if let choice {
                logger.debug(
                    "edge discovery: giving new address to connection",
                    metadata: ["connIndex": "\(index)", "event": "0", "ip": "\(choice.endpoint.host)"])
                return choice.endpoint
            }
            let clock = clock
            let pause = pool.nextReturn.map { $0 - now }
            await waitUnlessDraining {
                guard let pause else { return await answer.wait() }
                await Self.first({ await answer.wait() }, { try? await clock.sleep(for: pause) })
            }
            if pool.count == 0, let failure = lookups.failure, !draining.isOpen {
                try Task.checkCancellation()
                throw failure as? LinkError
                    ?? LinkError(.edgeUnknown, "no address of the edge is known", cause: failure)
            }
        }
        return nil
    }

    func addressFailed(forConnection index: UInt8) {
        var random = SystemRandomNumberGenerator()
        pool.addressFailed(forConnection: Int(index), at: began.elapsed ?? .zero, using: &random)
        addressesChanged.beat()
    }

    /// A connection had registered.
    func addressWorked(forConnection index: UInt8) {
        pool.addressWorked(forConnection: Int(index))
        lookups.connectionWorked()
    }

    /// Looks up whenever that is wanted, until cancelled or drained.
    func keepLookingUp() async {
        var random = SystemRandomNumberGenerator()
        var last: (end: Stopwatch, pause: Duration)?
        while !Task.isCancelled, !draining.isOpen {
            let wish = lookupWanted.next
            guard lookups.isWanted else {
                await waitUnlessDraining { await wish.wait() }
                continue
            }
            if let last { await rest(after: last.end, last.pause) }
            guard !Task.isCancelled, !draining.isOpen else { return }
            let isRepeated = lookups.failure != nil
            lookups.began()
            await waitUnlessDraining { await self.lookUp(isRepeated: isRepeated) }
            let end = Stopwatch(clock)
            end.start()
            last = (end, lookups.pause(using: &random))
            addressesChanged.beat()
        }
    }

    private func lookUp(isRepeated: Bool) async {
        do {
            let found = try await discover(isRepeated)
            guard !Task.isCancelled else { return }
            lookups.ended(with: found)
            pool.replace(by: found)
            report(.addressesFound(pool.count))
            logger.debug("edge discovery: resolved edge addresses", metadata: ["addresses": "\(pool.count)"])
            if let missing = found.missing {
                logger.warning("Some addresses of the edge are not known", metadata: ["error": "\(missing)"])
            } else if pool.count < haConnections {
                sayMost(haConnections, pool.count)
            }
        } catch  where !Task.isCancelled {
            lookups.ended(with: error)
        } catch {
            // The owner asked for the end.
        }
    }

    /// Until another lookup may begin, since news of the network or of another connection at the latest.
    private func rest(after over: Stopwatch, _ pause: Duration) async {
        let clock = clock
        let news = wake.next
        await waitUnlessDraining {
            try? await clock.sleep(for: max(.zero, AddressLookups.pace.floor - (over.elapsed ?? .zero)))
            let left = pause - (over.elapsed ?? .zero)
            guard !news.isOpen, left > .zero else { return }
            await Self.first({ await news.wait() }, { try? await clock.sleep(for: left) })
        }
    }

    /// What failed on the network that was says nothing about the one that is.
    func markNetworkChanges() async {
        var next = news.changes.next
        while !Task.isCancelled {
            await next.wait()
            guard !Task.isCancelled else { return }
            next = news.changes.next
            lookups.networkChanged()
            pool.networkChanged()
            // What is in use again may serve a slot that waits; without any, the next lookup has news.
            if pool.count > 0 { addressesChanged.beat() }
        }
    }

    nonisolated func sayMost(_ asked: Int, _ most: Int) {
        logger.info("You requested \(asked) HA connections but I can give you at most \(most).")
    }
}
