import Access
import Foundation
import NIOHTTP1

/// The keys that everybody checks our tokens by (access-protocol sections 2.6 and 3.10).
extension AccessServer {
    private struct KeySet: Encodable {
        struct Key: Encodable {
            let kid: String
            let kty = "RSA"
            let alg = "RS256"
            let use = "sig"
            let e: String
            let n: String

            enum CodingKeys: String, CodingKey { case kid, kty, alg, use, e, n }
        }

        struct PublicCertificate: Encodable {
            let kid: String
            let cert: String
        }

        let keys: [Key]
        let publicCert: PublicCertificate?
        let publicCerts: [PublicCertificate]
    }

    func certificates() async -> AccessResponse {
        do {
            let published = try await keys.published()
            let certificates = published.map {
                KeySet.PublicCertificate(kid: $0.key.id, cert: $0.certificatePEM)
            }
            var response = AccessResponse.json(
                KeySet(
                    keys: published.map {
                        KeySet.Key(
                            kid: $0.key.id, e: $0.key.exponent,
                            n: $0.key.modulus)
                    }, publicCert: certificates.first, publicCerts: certificates))
            response.headers.replaceOrAdd(name: "cache-control", value: "max-age=3600")
            return response
        } catch {
            return failed(error, ray: "")
        }
    }
}
