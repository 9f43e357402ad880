import EdgeTransport
import Testing

@testable import Connector

struct AddressLookupsTests {
    private let complete = EdgeAddresses.fixed([.init(endpoints: [.name("edge.test", port: 7844)])])

    @Test func `what is asked for while a lookup runs has its answer, once that is complete`() {
        var lookups = AddressLookups()
        #expect(lookups.request(addressFailed: nil) == true)
        lookups.began()
        #expect(lookups.request(addressFailed: nil) == true)
        lookups.ended(with: complete)
        #expect(!lookups.isWanted)
        #expect(lookups.request(addressFailed: nil) == false)
        #expect(lookups.request(addressFailed: true) == true)
    }

    @Test func `an answer with something missing, none, or one of another network is not enough`() {
        for trouble in 0..<3 {
            var lookups = AddressLookups()
            _ = lookups.request(addressFailed: nil)
            lookups.began()
            if trouble == 0 { lookups.networkChanged() }
            _ = lookups.request(addressFailed: nil)
            var found = complete
            if trouble == 1 { found.missing = "another" }
            if trouble == 2 {
                lookups.ended(with: LinkError(.edgeUnknown, "DNS is dead"))
            } else {
                lookups.ended(with: found)
            }
            #expect(lookups.isWanted)
        }
    }
}
