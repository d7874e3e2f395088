import sys
s=open('tests/deploy-server/.t.ts').read()
s=s.replace('''  - s: { run:''','''  - begin: { try: [ { s: { run:''').replace('''echo $TUTTI_TOKEN" } } }''','''echo $TUTTI_TOKEN" } } } } ], catch: { retry: { limit: { attempt: { count: 1 } } } } }''')
open('tests/deploy-server/.t2.ts','w').write(s)
